package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// FuzzUpload: no body of a form makes the reader fail but by an error, and what
// it lets through is one line of visible text.
func FuzzUpload(f *testing.F) {
	body, mediaType := form("document", "a.ofd", []byte("bytes"))
	f.Add(body.String(), mediaType)
	f.Add("--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"document\"; filename=\"../a\"\r\n\r\ny\r\n--b--\r\n", "multipart/form-data; boundary=b")
	f.Fuzz(func(t *testing.T, body, mediaType string) {
		r := httptest.NewRequest(http.MethodPost, "/console/uses", strings.NewReader(body))
		r.Header.Set("Content-Type", mediaType)
		in, err := upload(httptest.NewRecorder(), r, 1<<10, 3, "document")
		if err != nil {
			return
		}
		n := 0
		for _, p := range in.files["document"] {
			n += len(p.Bytes)
		}
		if n > 1<<10 || len(in.files["document"]) > 3 {
			t.Errorf("%d files, %d bytes", len(in.files["document"]), n)
		}
		u, err := useForm(in)
		if err == nil && (u.Title == "" || text.Plain(u.Title+u.Type+u.Purpose+u.Place.Keyword) != u.Title+u.Type+u.Purpose+u.Place.Keyword) {
			t.Errorf("let through: %+v", u)
		}
		if name := fileName(in.file("document").Name); name == "" || strings.ContainsAny(name, `/\`) || strings.Trim(name, ". ") != name {
			t.Errorf("a file is called %q", name)
		}
	})
}
