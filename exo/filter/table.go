package filter

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Table is a set of entries that changes while it is used. The zero Table is empty.
type Table struct {
	current atomic.Pointer[Classifier] // what readers use; nil is empty

	mu      sync.Mutex
	entries []*Entry // under mu; as they were inserted
}

// Classify returns the first entry that accepts packet, or nil. It takes no lock and allocates nothing.
func (t *Table) Classify(packet []byte) *Entry {
	c := t.current.Load()
	if c == nil {
		return nil
	}
	return c.Classify(packet)
}

// Update removes and inserts entries, all of them or, with an error, none. It merges all entries anew, and may wait for another
// Update. Readers see the entries from before until it is done, and those that are under way then may still end with them.
//
// Errors: *MissingError, *DuplicateError, *EntryError for an entry without a program.
func (t *Table) Update(remove, insert []*Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := slices.Clone(t.entries)
	for _, r := range remove {
		i := slices.Index(entries, r)
		if i < 0 {
			return &MissingError{Tag: r.Tag}
		}
		entries = slices.Delete(entries, i, i+1)
	}
	for _, r := range insert {
		if r.Program == nil || len(r.Program.code) == 0 {
			return &RuleError{Rule: RuleLength, Fix: "take one that Verify returned"}
		}
		if slices.Contains(entries, r) {
			return &DuplicateError{Tag: r.Tag}
		}
		entries = append(entries, r)
	}
	t.entries = entries
	t.current.Store(Merge(entries))
	return nil
}
