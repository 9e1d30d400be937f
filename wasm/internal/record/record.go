// Package record is how a record is kept in a storage that could damage it: a
// format version and a checksum stand before the value, and what does not agree
// with them is set aside, never dropped and never believed.
package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/store"
)

// format is the version of this layout: "kbs", version, crc32 (Castagnoli) of
// key and value, value.
const format = 1

const headLen = 8

var table = crc32.MakeTable(crc32.Castagnoli)

// Row is what a storage holds under one key.
type Row struct {
	Key   string
	Value []byte
}

// Bad is a Row that was set aside, and why.
type Bad struct {
	Row
	Reason string
	Future bool
}

func sum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key+"\x00"), table), table, value)
}

// Seal puts the head before a value.
func Seal(key string, value []byte) []byte {
	out := make([]byte, headLen, headLen+len(value))
	copy(out, "kbs")
	out[3] = format
	binary.BigEndian.PutUint32(out[4:], sum(key, value))
	return append(out, value...)
}

// Unseal parts the good records from those that must be set aside; both come
// back in the order of their keys.
func Unseal(rows []Row) (good []store.Record, bad []Bad) {
	sort.Slice(rows, func(i, j int) bool { return rows[i].Key < rows[j].Key })
	for _, r := range rows {
		switch v := r.Value; {
		case len(v) < headLen || string(v[:3]) != "kbs":
			bad = append(bad, Bad{Row: r, Reason: "has no valid head"})
		case v[3] > format:
			bad = append(bad, Bad{Row: r, Reason: fmt.Sprintf("was written by a newer version (format %d)", v[3]), Future: true})
		case v[3] < format:
			bad = append(bad, Bad{Row: r, Reason: fmt.Sprintf("has the unknown format %d", v[3])})
		case sum(r.Key, v[headLen:]) != binary.BigEndian.Uint32(v[4:]):
			bad = append(bad, Bad{Row: r, Reason: "does not agree with its checksum"})
		default:
			good = append(good, store.Record{Key: r.Key, Value: v[headLen:]})
		}
	}
	return good, bad
}

// Damaged words what was set aside.
func Damaged(bad []Bad) error {
	var names []string
	for i, b := range bad {
		if i == 3 && len(bad) > 4 {
			names = append(names, fmt.Sprintf("and %d more", len(bad)-i))
			break
		}
		names = append(names, fmt.Sprintf("%q %s", b.Key, b.Reason))
	}
	return fmt.Errorf("%d saved records were set aside, the rest was loaded: %s", len(bad), strings.Join(names, ", "))
}
