// Package seed is the simulation's only source of chance. One seed gives any
// number of named streams, one per purpose (name suffixes, uids, jitter, load
// balancing), so that drawing more from one never shifts another. The state of
// every stream can be saved and restored.
package seed

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"sort"
)

// Source hands out the streams of one seed.
type Source struct {
	seed    uint64
	streams map[string]*Stream
}

// Stream is one named sequence of random values.
type Stream struct {
	pcg *rand.PCG
	rnd *rand.Rand
}

// New returns the source of the given seed.
func New(seed uint64) *Source { return &Source{seed: seed, streams: map[string]*Stream{}} }

// Seed is the value that New was called with.
func (s *Source) Seed() uint64 { return s.seed }

// Stream returns the stream of that name, the same one at every call.
func (s *Source) Stream(name string) *Stream {
	if st, ok := s.streams[name]; ok {
		return st
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	pcg := rand.NewPCG(s.seed, h.Sum64())
	st := &Stream{pcg: pcg, rnd: rand.New(pcg)}
	s.streams[name] = st
	return st
}

type state struct {
	Seed    uint64            `json:"seed"`
	Streams map[string][]byte `json:"streams"`
}

// MarshalJSON saves the seed and where every stream stands.
func (s *Source) MarshalJSON() ([]byte, error) {
	out := state{Seed: s.seed, Streams: map[string][]byte{}}
	names := make([]string, 0, len(s.streams))
	for n := range s.streams {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		b, err := s.streams[n].pcg.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out.Streams[n] = b
	}
	return json.Marshal(out)
}

// UnmarshalJSON restores what MarshalJSON saved. Streams already handed out
// stay valid and continue from the restored position.
func (s *Source) UnmarshalJSON(data []byte) error {
	var in state
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	s.seed = in.Seed
	if s.streams == nil {
		s.streams = map[string]*Stream{}
	}
	for n, b := range in.Streams {
		if err := s.Stream(n).pcg.UnmarshalBinary(b); err != nil {
			return err
		}
	}
	return nil
}

// Uint64 is the next 64 random bits.
func (s *Stream) Uint64() uint64 { return s.rnd.Uint64() }

// IntN is the next value in [0, n); n must be positive.
func (s *Stream) IntN(n int) int { return s.rnd.IntN(n) }

// Float64 is the next value in [0, 1).
func (s *Stream) Float64() float64 { return s.rnd.Float64() }

// Shuffle puts n things in random order by way of swap.
func (s *Stream) Shuffle(n int, swap func(i, j int)) { s.rnd.Shuffle(n, swap) }

// suffixAlphabet is what Kubernetes draws name suffixes from: no vowels and no
// characters that are easily confused (k8s.io/apimachinery util/rand).
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// Suffix is a random string of n characters as Kubernetes appends to generateName.
func (s *Stream) Suffix(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = suffixAlphabet[s.rnd.IntN(len(suffixAlphabet))]
	}
	return string(b)
}

// UID is a random UUID (version 4) in its usual form.
func (s *Stream) UID() string {
	u := [2]uint64{s.rnd.Uint64(), s.rnd.Uint64()}
	u[0] = u[0]&^0xf000 | 0x4000
	u[1] = u[1]&^(3<<62) | 2<<62
	return UID(u)
}

// UID writes the 128 bits of a uid.
func UID(u [2]uint64) string {
	const digits = "0123456789abcdef"
	var b [36]byte
	at := 0
	for _, n := range u {
		for shift := 60; shift >= 0; shift -= 4 {
			if at == 8 || at == 13 || at == 18 || at == 23 {
				b[at] = '-'
				at++
			}
			b[at] = digits[n>>shift&15]
			at++
		}
	}
	return string(b[:])
}

// Hex is n random bytes as 2n hexadecimal digits (container ids, digests).
func (s *Stream) Hex(n int) string {
	b := make([]byte, (n+7)/8*8)
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], s.rnd.Uint64())
	}
	return hex.EncodeToString(b[:n])
}
