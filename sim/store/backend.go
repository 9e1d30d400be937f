// What the store and the other parts of a cluster need of a place that keeps
// them: records by key, written in batches that are taken whole or not at all.

package store

// Record is one kept value. A nil Value deletes the key.
type Record struct {
	Key   string
	Value []byte
}

// Backend keeps records: IndexedDB in a browser, a file natively, memory in
// tests, a Durable Object's storage in a Worker. The calls may block the host's
// goroutine; they are never made by a process or an actor.
type Backend interface {
	// Load returns every record. Damaged ones are set aside by the backend and
	// named in the error beside the good ones; the caller reports them.
	Load() ([]Record, error)
	// Append makes the batch durable as a whole before it returns. On an error
	// (a full disk) nothing of it is kept.
	Append(batch []Record) error
	// Clear deletes everything.
	Clear() error
	// Close releases the place.
	Close() error
}

// Memory is a Backend that forgets with the process.
type Memory struct{ records map[string][]byte }

// NewMemory returns an empty memory backend.
func NewMemory() *Memory { return &Memory{records: map[string][]byte{}} }

// Load implements Backend.
func (m *Memory) Load() ([]Record, error) {
	out := make([]Record, 0, len(m.records))
	for k, v := range m.records {
		out = append(out, Record{k, v})
	}
	return out, nil
}

// Append implements Backend.
func (m *Memory) Append(batch []Record) error {
	for _, r := range batch {
		if r.Value == nil {
			delete(m.records, r.Key)
		} else {
			m.records[r.Key] = append([]byte(nil), r.Value...)
		}
	}
	return nil
}

// Clear implements Backend.
func (m *Memory) Clear() error { m.records = map[string][]byte{}; return nil }

// Close implements Backend.
func (m *Memory) Close() error { return nil }
