// base64, checksums, dumps, split: tools on bytes.

package tool

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("base64 [OPTION]... [FILE]", base64Tool, "base64")
	for name, fn := range map[string]func() hash.Hash{"md5sum": md5.New, "sha1sum": sha1.New, "sha256sum": sha256.New, "sha512sum": sha512.New} {
		reg(name+" [OPTION]... [FILE]...", func(t *T) int { return sum(t, fn) }, name)
	}
	reg("cksum [FILE]...", func(t *T) int {
		t.files(t.args, func(n string, r io.Reader) error {
			b, err := t.all(r)
			if err != nil {
				return err
			}
			c := uint32(0)
			step := func(x byte) {
				c ^= uint32(x) << 24
				for range 8 {
					if c&(1<<31) != 0 {
						c = c<<1 ^ 0x04c11db7
					} else {
						c <<= 1
					}
				}
			}
			for _, x := range b {
				step(x)
			}
			for l := len(b); l > 0; l >>= 8 {
				step(byte(l))
			}
			name := ""
			if len(t.args) > 0 {
				name = " " + n
			}
			t.printf("%d %d%s\n", ^c, len(b), name)
			return nil
		})
		return t.bad
	}, "cksum")
	reg("od [OPTION]... [FILE]...", od, "od")
	reg("hexdump [-C] [file]", hexdump, "hexdump", "hd")
	reg("xxd [-p] [-r] [-l len] [file]", xxd, "xxd")
	reg("gzip [OPTION]... [FILE]...", gzipTool, "gzip", "gunzip", "zcat")
	reg("tar [OPTION...] [FILE]...", tarTool, "tar")
	reg("split [OPTION]... [FILE [PREFIX]]", split, "split")
}

func base64Tool(t *T) int {
	if !t.parse("dw:iD", "decode=d", "wrap=w", "ignore-garbage=i") {
		return 1
	}
	if len(t.args) > 1 {
		return t.usageError(1, "extra operand ‘%s’", t.args[1])
	}
	wrap, ok := t.number("w", 76)
	if !ok || wrap < 0 {
		t.errorf("invalid wrap size: ‘%s’", t.opts["w"])
		return 1
	}
	t.files(t.args, func(_ string, r io.Reader) error {
		b, err := t.all(r)
		if err != nil {
			return err
		}
		if t.has("d") || t.has("D") {
			clean := strings.Map(func(r rune) rune {
				if r == '\n' || r == '\r' {
					return -1
				}
				return r
			}, string(b))
			enc := base64.StdEncoding
			out, err := enc.DecodeString(clean)
			if err != nil {
				// what is good comes out first, as the real one does
				good := len(clean)
				var ce base64.CorruptInputError
				if errors.As(err, &ce) {
					good = int(ce) / 4 * 4
				}
				part, _ := enc.DecodeString(clean[:min(good, len(clean))])
				if tail := strings.TrimRight(clean[good:], "="); len(tail) > 1 {
					if x, e := base64.RawStdEncoding.DecodeString(tail[:min(len(tail), 4)]); e == nil {
						part = append(part, x...)
					}
				}
				t.write(part)
				t.errorf("invalid input")
				return nil
			}
			t.write(out)
			return nil
		}
		s := base64.StdEncoding.EncodeToString(b)
		for wrap > 0 && len(s) > wrap {
			t.puts(s[:wrap] + "\n")
			s = s[wrap:]
		}
		t.puts(s)
		if wrap > 0 && s != "" {
			t.puts("\n")
		}
		return nil
	})
	return t.bad
}

func sum(t *T, fn func() hash.Hash) int {
	if !t.parse("cbtz", "check=c", "status=s?", "quiet=q?") {
		return 1
	}
	if t.has("c") {
		failed := 0
		t.files(t.args, func(_ string, r io.Reader) error {
			return t.lines(r, func(l []byte, _ bool) bool {
				want, name, ok := strings.Cut(string(l), "  ")
				if !ok {
					want, name, ok = strings.Cut(string(l), " *")
				}
				if !ok {
					return true
				}
				b, err := t.readAll(name)
				h := fn()
				h.Write(b)
				switch {
				case err != nil:
					t.errorf("%s: %s", name, vfs.Reason(err))
					t.printf("%s: FAILED open or read\n", name)
				case fmt.Sprintf("%x", h.Sum(nil)) != want:
					t.printf("%s: FAILED\n", name)
					failed++
				default:
					t.printf("%s: OK\n", name)
				}
				return true
			})
		})
		if failed > 0 {
			plural := ""
			if failed > 1 {
				plural = "s"
			}
			t.errorf("WARNING: %d computed checksum%s did NOT match", failed, plural)
		}
		return t.bad
	}
	t.files(t.args, func(n string, r io.Reader) error {
		h := fn()
		buf := make([]byte, 32<<10)
		for {
			k, err := r.Read(buf)
			h.Write(buf[:k])
			t.Proc.Tick()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		t.printf("%x  %s\n", h.Sum(nil), n)
		return nil
	})
	return t.bad
}

func od(t *T) int {
	if !t.parse("cxbdoA:t:N:j:vw:", "address-radix=A", "format=t", "read-bytes=N", "skip-bytes=j") {
		return 1
	}
	var data []byte
	t.files(t.args, func(_ string, r io.Reader) error {
		n, hasN := t.number("N", 0)
		if _, ok := t.opts["N"]; ok && hasN {
			skip, _ := t.number("j", 0)
			b := make([]byte, min(n+skip, maxLine))
			k, _ := io.ReadFull(r, b)
			data = append(data, b[:k]...)
			return nil
		}
		b, err := t.all(r)
		data = append(data, b...)
		return err
	})
	skip, _ := t.number("j", 0)
	data = data[min(skip, len(data)):]
	if n, ok := t.number("N", len(data)); ok && n < len(data) {
		data = data[:n]
	}
	kind := t.opts["t"]
	switch {
	case t.has("c"):
		kind = "c"
	case t.has("x"):
		kind = "x2"
	case t.has("b"):
		kind = "o1"
	case t.has("d"):
		kind = "u2"
	case kind == "":
		kind = "o2"
	}
	radix := t.opts["A"]
	addr := func(n int) string {
		switch radix {
		case "n":
			return ""
		case "d":
			return fmt.Sprintf("%07d", n)
		case "x":
			return fmt.Sprintf("%06x", n)
		}
		return fmt.Sprintf("%07o", n)
	}
	last := ""
	starred := false
	for at := 0; at < len(data); at += 16 {
		t.Proc.Tick()
		row := data[at:min(at+16, len(data))]
		var b strings.Builder
		switch kind[0] {
		case 'c', 'a':
			for _, c := range row {
				s := string(rune(c))
				switch {
				case c == 0:
					s = `\0`
				case c == 7:
					s = `\a`
				case c == 8:
					s = `\b`
				case c == '\t':
					s = `\t`
				case c == '\n':
					s = `\n`
				case c == 11:
					s = `\v`
				case c == 12:
					s = `\f`
				case c == '\r':
					s = `\r`
				case c < 32 || c > 126:
					s = fmt.Sprintf("%03o", c)
				}
				fmt.Fprintf(&b, "%4s", s)
			}
		default:
			size := 2
			if len(kind) > 1 {
				size, _ = strconv.Atoi(strings.TrimRight(kind[1:], "zC"))
				if strings.HasPrefix(kind[1:], "C") {
					size = 1
				}
			} else {
				size = 4
			}
			if size != 1 && size != 2 && size != 4 && size != 8 {
				t.errorf("invalid type string '%s'", kind)
				return 1
			}
			for i := 0; i < len(row); i += size {
				var v uint64
				for k := 0; k < size && i+k < len(row); k++ {
					v |= uint64(row[i+k]) << (8 * k)
				}
				switch kind[0] {
				case 'x':
					fmt.Fprintf(&b, " %0*x", size*2, v)
				case 'o':
					fmt.Fprintf(&b, " %0*o", map[int]int{1: 3, 2: 6, 4: 11, 8: 22}[size], v)
				case 'd':
					s := int64(v<<(64-8*size)) >> (64 - 8*size)
					fmt.Fprintf(&b, " %*d", map[int]int{1: 4, 2: 6, 4: 11, 8: 20}[size], s)
				default:
					fmt.Fprintf(&b, " %*d", map[int]int{1: 3, 2: 5, 4: 10, 8: 20}[size], v)
				}
			}
		}
		text := b.String()
		if text == last && len(row) == 16 && !t.has("v") {
			if !starred {
				t.puts("*\n")
				starred = true
			}
			continue
		}
		starred = false
		last = text
		t.puts(addr(at+skip) + text + "\n")
	}
	if radix != "n" {
		t.puts(addr(len(data)+skip) + "\n")
	}
	return t.bad
}

func hexdump(t *T) int {
	if !t.parse("Cn:s:vxe:") {
		return 1
	}
	var data []byte
	t.files(t.args, func(_ string, r io.Reader) error {
		if n, ok := t.opts["n"]; ok {
			k, _ := strconv.Atoi(n)
			r = io.LimitReader(r, int64(k))
		}
		b, err := t.all(r)
		data = append(data, b...)
		return err
	})
	canon := t.has("C") || t.name == "hd"
	last := ""
	star := false
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		var b strings.Builder
		if canon {
			b.WriteString("  ")
			for i := range 16 {
				if i < len(row) {
					fmt.Fprintf(&b, "%02x ", row[i])
				} else {
					b.WriteString("   ")
				}
				if i == 7 {
					b.WriteByte(' ')
				}
			}
			b.WriteString(" |" + printable(row) + "|")
		} else {
			for i := 0; i < len(row); i += 2 {
				v := int(row[i])
				if i+1 < len(row) {
					v |= int(row[i+1]) << 8
				}
				fmt.Fprintf(&b, " %04x", v)
			}
		}
		s := b.String()
		if s == last && !t.has("v") {
			if !star {
				t.puts("*\n")
			}
			star = true
			continue
		}
		star = false
		last = s
		if canon {
			t.printf("%08x%s\n", at, s)
		} else {
			t.printf("%07x%s\n", at, s)
		}
	}
	if len(data) > 0 {
		if canon {
			t.printf("%08x\n", len(data))
		} else {
			t.printf("%07x\n", len(data))
		}
	}
	return t.bad
}

func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = '.'
		if c >= 32 && c < 127 {
			out[i] = c
		}
	}
	return string(out)
}

func xxd(t *T) int {
	if !t.parse("prl:s:c:ui") {
		return 1
	}
	var data []byte
	t.files(t.args, func(_ string, r io.Reader) error {
		b, err := t.all(r)
		data = append(data, b...)
		return err
	})
	if t.has("r") {
		hex := ""
		for _, l := range strings.Split(string(data), "\n") {
			if !t.has("p") {
				if _, rest, ok := strings.Cut(l, ": "); ok {
					l, _, _ = strings.Cut(rest, "  ")
				}
			}
			hex += strings.ReplaceAll(l, " ", "")
		}
		for i := 0; i+1 < len(hex); i += 2 {
			v, err := strconv.ParseUint(hex[i:i+2], 16, 8)
			if err != nil {
				break
			}
			t.write([]byte{byte(v)})
		}
		return 0
	}
	if n, ok := t.number("l", len(data)); ok && n < len(data) {
		data = data[:n]
	}
	width := 16
	if t.has("p") {
		width = 30
	}
	width, _ = t.number("c", width)
	width = max(width, 1)
	for at := 0; at < len(data); at += width {
		row := data[at:min(at+width, len(data))]
		if t.has("p") {
			t.printf("%x\n", row)
			continue
		}
		var b strings.Builder
		for i := range width {
			if i < len(row) {
				fmt.Fprintf(&b, "%02x", row[i])
			} else {
				b.WriteString("  ")
			}
			if i%2 == 1 {
				b.WriteByte(' ')
			}
		}
		t.printf("%08x: %s %s\n", at, b.String(), printable(row))
	}
	return t.bad
}

func split(t *T) int {
	if !t.parse("l:b:da:", "lines=l", "bytes=b", "numeric-suffixes=d", "suffix-length=a") {
		return 1
	}
	in, prefix := "-", "x"
	if len(t.args) > 0 {
		in = t.args[0]
	}
	if len(t.args) > 1 {
		prefix = t.args[1]
	}
	data, err := t.readAll(in)
	if err != nil {
		t.errorf("cannot open '%s' for reading: %s", in, vfs.Reason(err))
		return 1
	}
	width, _ := t.number("a", 2)
	k := 0
	emit := func(b []byte) {
		name := prefix
		if t.has("d") {
			name += fmt.Sprintf("%0*d", width, k)
		} else {
			s := make([]byte, max(width, 1))
			for i, n := len(s)-1, k; i >= 0; i-- {
				s[i] = 'a' + byte(n%26)
				n /= 26
			}
			name += string(s)
		}
		k++
		_ = t.FS.WriteFile(t.Path(name), b, 0o644)
	}
	if v, ok := t.opts["b"]; ok {
		n, valid := count(v)
		if !valid || n < 1 {
			t.errorf("invalid number of bytes: '%s'", v)
			return 1
		}
		for len(data) > 0 && k < 10000 {
			m := min(int(n), len(data))
			emit(data[:m])
			data = data[m:]
		}
		return 0
	}
	n, ok := t.number("l", 1000)
	if !ok || n < 1 {
		t.errorf("invalid number of lines: '%s'", t.opts["l"])
		return 1
	}
	ls := bytes.SplitAfter(data, []byte("\n"))
	for len(ls) > 0 && k < 10000 {
		m := min(n, len(ls))
		if b := bytes.Join(ls[:m], nil); len(b) > 0 {
			emit(b)
		}
		ls = ls[m:]
	}
	return 0
}
