// dd.

package tool

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func dd(t *T) int {
	opt := map[string]string{"bs": "512"}
	for _, a := range t.args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			return t.usageError(1, "unrecognized operand ‘%s’", a)
		}
		switch k {
		case "if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "status", "iflag", "oflag":
			opt[k] = v
		default:
			return t.usageError(1, "unrecognized operand ‘%s’", a)
		}
	}
	num := func(k string, def int64) (int64, bool) {
		v, ok := opt[k]
		if !ok {
			return def, true
		}
		n, valid := count(v)
		if !valid || n < 0 {
			t.errorf("invalid number: ‘%s’", v)
			return 0, false
		}
		return n, true
	}
	if v, ok := opt["ibs"]; ok {
		opt["bs"] = v
	}
	bs, ok1 := num("bs", 512)
	n, ok2 := num("count", -1)
	skip, ok3 := num("skip", 0)
	seek, ok4 := num("seek", 0)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return 1
	}
	if bs == 0 {
		t.errorf("invalid number: ‘%s’", opt["bs"])
		return 1
	}
	if bs > 1<<30 {
		t.errorf("memory exhausted by input buffer of size %d bytes (%s)", bs, human(bs))
		return 1
	}
	in := io.Reader(stdin{t})
	if f, ok := opt["if"]; ok {
		r, err := t.open(f)
		if err != nil {
			t.errorf("failed to open '%s': %s", f, vfs.Reason(err))
			return 1
		}
		in = r
	}
	out := io.Writer(nil)
	if f, ok := opt["of"]; ok {
		flag := os.O_TRUNC
		if strings.Contains(opt["conv"], "notrunc") || seek > 0 {
			flag = 0
		}
		w, err := t.create(f, flag)
		if err != nil {
			t.errorf("failed to open '%s': %s", f, vfs.Reason(err))
			return 1
		}
		out = w
		if file, ok := w.(*vfs.File); ok && seek > 0 && file.Device() == nil {
			_, _ = file.Seek(seek*bs, io.SeekStart)
		}
	}
	t.hold(bs)
	// pieces of a block are moved on as they are, so that a block of 1 GB
	// needs no buffer of that size
	buf := make([]byte, min(bs, 64<<10))
	start := t.Proc.Now()
	var full, part, total int64
	var fail error
	read := func() (int64, bool) { // one block
		var got int64
		for got < bs {
			k, err := in.Read(buf[:min(int64(len(buf)), bs-got)])
			t.Proc.Tick()
			if k > 0 {
				if skip > 0 {
				} else if out != nil {
					if _, e := out.Write(buf[:k]); e != nil {
						fail = e
						return got, false
					}
				} else {
					t.write(buf[:k])
				}
				got += int64(k)
			}
			if err != nil {
				return got, false
			}
			if k < len(buf) && int64(k) < bs && opt["iflag"] != "fullblock" {
				if _, isFile := in.(*vfs.File); !isFile {
					if _, isDev := in.(devReader); !isDev {
						return got, true
					}
				}
			}
		}
		return got, true
	}
	for skip > 0 {
		if _, more := read(); !more {
			break
		}
		skip--
	}
	skip = 0
	for n < 0 || full+part < n {
		got, more := read()
		total += got
		if got == bs {
			full++
		} else if got > 0 {
			part++
		}
		if !more {
			break
		}
	}
	if fail != nil {
		name := opt["of"]
		t.errorf("error writing '%s': %s", name, vfs.Reason(fail))
	}
	t.flush()
	if opt["status"] == "none" {
		return t.bad
	}
	fullIn, partIn := full, part
	if fail != nil { // what could not be written had been read
		fullIn, partIn = full+1, 0
	}
	t.eprint(fmt.Sprintf("%d+%d records in\n%d+%d records out\n", fullIn, partIn, full, part))
	if opt["status"] == "noxfer" {
		return t.bad
	}
	// the copy's own time is not simulated: a fast disk is assumed
	sec := t.Proc.Now().Sub(start).Seconds() + float64(total)/2e9 + 1e-5
	rate := float64(total) / sec
	if t.busybox() {
		short := func(n float64) string {
			if n < 1024 {
				return fmt.Sprint(int64(n))
			}
			unit := 0
			for n /= 1024; n >= 1024 && unit < 3; n /= 1024 {
				unit++
			}
			return fmt.Sprintf("%.1f%c", n, "KMGT"[unit])
		}
		t.eprint(fmt.Sprintf("%d bytes (%sB) copied, %f seconds, %sB/s\n", total, short(float64(total)), sec, short(rate)))
		return t.bad
	}
	unit := "B/s"
	for _, u := range []string{"kB/s", "MB/s", "GB/s"} {
		if rate >= 1000 {
			rate /= 1000
			unit = u
		}
	}
	size := fmt.Sprintf("%d bytes", total)
	if total == 1 {
		size = "1 byte"
	}
	if total >= 1000 {
		size += " (" + si(total)
		if total >= 1024 {
			size += ", " + iec(total)
		}
		size += ")"
	}
	rt := fmt.Sprintf("%.1f", rate)
	if rate >= 10 {
		rt = fmt.Sprintf("%.0f", rate)
	}
	t.eprint(fmt.Sprintf("%s copied, %s s, %s %s\n", size, trimG(sec), rt, unit))
	return t.bad
}

func trimG(f float64) string { return fmt.Sprintf("%.6g", f) }

func si(n int64) string { return scaled(n, 1000, "kB", "MB", "GB", "TB") }

func iec(n int64) string { return scaled(n, 1024, "KiB", "MiB", "GiB", "TiB") }

// scaled is a number of bytes in the unit in which it has few digits.
func scaled(n int64, base float64, units ...string) string {
	f := float64(n)
	for _, u := range units {
		if f /= base; f < base {
			if f < 10 {
				return fmt.Sprintf("%.1f %s", f, u)
			}
			return fmt.Sprintf("%.0f %s", f, u)
		}
	}
	return fmt.Sprint(n)
}
