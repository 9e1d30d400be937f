// File modes: octal and symbolic.

package tool

import (
	"io/fs"
	"strconv"
	"strings"
)

// ParseMode applies a mode as chmod takes it, octal or symbolic, to old.
func ParseMode(spec string, old fs.FileMode, dir bool) (fs.FileMode, bool) {
	if n, err := strconv.ParseUint(spec, 8, 12); err == nil {
		m := fs.FileMode(n & 0o777)
		for _, b := range []struct {
			bit  uint64
			mode fs.FileMode
		}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
			if n&b.bit != 0 {
				m |= b.mode
			}
		}
		return m, true
	}
	mode := old & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	for _, clause := range strings.Split(spec, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" {
			return 0, false
		}
		who := clause[:i]
		mask := fs.FileMode(0)
		for _, w := range who {
			switch w {
			case 'u':
				mask |= 0o700
			case 'g':
				mask |= 0o070
			case 'o':
				mask |= 0o007
			case 'a':
				mask |= 0o777
			}
		}
		if who == "" {
			mask = 0o777
		}
		for rest := clause[i:]; rest != ""; {
			op := rest[0]
			j := strings.IndexAny(rest[1:], "+-=")
			perms := rest[1:]
			if j >= 0 {
				perms = rest[1 : 1+j]
			}
			rest = rest[1+len(perms):]
			var bits, special fs.FileMode
			for _, p := range perms {
				switch p {
				case 'r':
					bits |= 0o444
				case 'w':
					bits |= 0o222
				case 'x':
					bits |= 0o111
				case 'X':
					if dir || old&0o111 != 0 {
						bits |= 0o111
					}
				case 's':
					special |= fs.ModeSetuid
				case 't':
					special |= fs.ModeSticky
				case 'u':
					bits |= (mode >> 6 & 7) * 0o111
				case 'g':
					bits |= (mode >> 3 & 7) * 0o111
				case 'o':
					bits |= (mode & 7) * 0o111
				default:
					return 0, false
				}
			}
			bits &= mask
			if who == "" && op != '=' {
				bits &^= 0o022 & bits * 0 // the umask is not known here
			}
			switch op {
			case '+':
				mode |= bits | special
			case '-':
				mode &^= bits | special
			default:
				mode = mode&^mask | bits | special
			}
		}
	}
	return mode, true
}
