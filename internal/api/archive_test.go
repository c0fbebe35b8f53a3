package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// X11-12: a package goes to enrolled systems only, as a file, and a refusal names
// the field of the metadata that is wrong and repeats nothing.
func TestArchive(t *testing.T) {
	h := newHouse(t)
	a := h.do(http.MethodPost, wire.PathArchives, true, strings.NewReader(goodArchive))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/zip" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", a.status, a.header)
	}
	calls := h.calls
	if a := h.do(http.MethodPost, wire.PathArchives, false, strings.NewReader(goodArchive)); a.status != http.StatusUnauthorized || h.calls != calls {
		t.Errorf("without a certificate: %d %s", a.status, a.raw)
	}
	for name, tc := range map[string]struct{ old, with, code, field string }{
		"a period of no law":   {`"retention":"permanent"`, `"retention":"` + secret + `"`, "archive.metadata", "body.metadata.retention"},
		"no such code":         {"11110102MB1234567M", "11110102MB1234567X", "archive.metadata", "body.metadata.unit.uscc"},
		"a secret":             {"非涉密", "秘密", "state_secret", ""},
		"a field that is none": {`"title":`, `"more":"` + secret + `","title":`, "request.invalid", ""},
		"no metadata":          {`"metadata"`, `"meta"`, "request.invalid", ""},
	} {
		a := h.do(http.MethodPost, wire.PathArchives, true, strings.NewReader(strings.Replace(goodArchive, tc.old, tc.with, 1)))
		if a.status != http.StatusUnprocessableEntity || a.p.Code != tc.code || strings.Contains(a.raw, secret) {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
		if tc.field != "" && (len(a.p.Fields) != 1 || a.p.Fields[0].Location != tc.field) {
			t.Errorf("%s: %+v", name, a.p.Fields)
		}
	}
}
