package app

import (
	"testing"
	"time"
)

// Names never leave their folder, whoever made them.
func TestBlobsStayInTheirFolder(t *testing.T) {
	b := blobs{t.TempDir(), time.Now}
	ok(t, b.Put(bg, "desk/a", nil))
	for _, name := range []string{"a/../../../yinxin", "/etc/passwd", `..\x`, "../x"} {
		if _, err := b.Get(bg, name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if err := b.Move(bg, "desk/a", name); err == nil {
			t.Errorf("moved to %q", name)
		}
	}
}
