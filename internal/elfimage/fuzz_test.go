package elfimage

import "testing"

// FuzzBuild keeps Build from panicking, and its output readable.
func FuzzBuild(f *testing.F) {
	f.Add(synthetic(0x400010, twoSegments))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, in []byte) {
		BuildID(in)
		Measure(in)
		EntrySymbol(in)
		out, err := Build(in, Options{Boot: []byte{0xf4}, Cmdline: "name=fuzz", Record: &Record{Key: "k"}})
		if err != nil {
			return
		}
		img, err := Read(out)
		if err != nil {
			t.Fatalf("own output: %v", err)
		}
		if img.Cmdline != "name=fuzz" || img.Record.Key != "k" {
			t.Fatalf("read back %+v", img)
		}
	})
}

// FuzzRead keeps Read from panicking.
func FuzzRead(f *testing.F) {
	out, err := Build(synthetic(0x400010, twoSegments), Options{Boot: []byte{0xf4}, Cmdline: "a", Record: &Record{Key: "k"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out)
	f.Fuzz(func(t *testing.T, in []byte) {
		if img, err := Read(in); err == nil {
			img.LoadEnd()
			img.Protocols()
		}
		Packages(in)
	})
}
