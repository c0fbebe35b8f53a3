package authz

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Facts and requests as earlier versions kept them, each named by its SM3. They read
// into the types of today and come out byte for byte: a field that is written where
// it was not before would make every past decision differ when it is replayed. Add a
// file when the types grow (omitempty or omitzero), never change one.
func TestPastDocumentsReadBack(t *testing.T) {
	files, err := filepath.Glob("testdata/past/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kind, sum, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".json"), "-")
		if sm3Hex(raw) != sum {
			t.Errorf("%s was changed", name)
		}
		var again string
		switch kind {
		case "request":
			var r Request
			err = json.Unmarshal(raw, &r)
			again, _ = asked(r)
		case "facts":
			var s Snapshot
			if err = json.Unmarshal(raw, &s); err == nil {
				again, _, err = read(s)
			}
		default:
			t.Errorf("%s: neither request nor facts", name)
		}
		if err != nil || again != sum {
			t.Errorf("%s: %v, reads back as %s", name, err, again)
		}
	}
}
