package console

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/life"
)

// several is a form with several files.
func several(t *testing.T, contents map[string]string, pairs ...string) (body, mediaType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	for field, content := range contents {
		part, err := w.CreateFormFile(field, field+".bin")
		if err == nil {
			_, err = part.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestImportForm(t *testing.T) {
	h, d := newDesk(t)
	fields := []string{"key", "seal-x", "kind", "statutory", "purpose", " 对外  行文 ", "picture_filing", "备〔2026〕7号", "total", "9"}
	two := "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
	for name, c := range map[string]struct {
		files  map[string]string
		fields []string
		code   int
		want   string
	}{
		"whole":               {map[string]string{"seal": "seal", "certificates": two}, fields, http.StatusSeeOther, "import seal-x statutory 对外 行文 备〔2026〕7号 4 2"},
		"the seal alone":      {map[string]string{"seal": "seal"}, fields, http.StatusSeeOther, "import seal-x statutory 对外 行文 备〔2026〕7号 4 0"},
		"no seal":             {map[string]string{"certificates": two}, fields, http.StatusBadRequest, ""},
		"a negative bound":    {map[string]string{"seal": "seal"}, append(fields, "quota", "-1"), http.StatusBadRequest, ""},
		"a large certificate": {map[string]string{"seal": "seal", "certificates": strings.Repeat("x", maxImport+1)}, fields, http.StatusRequestEntityTooLarge, ""},
	} {
		d.acted = nil
		body, mediaType := several(t, c.files, c.fields...)
		w := h.ask(http.MethodPost, "/console/seals/import", mediaType, body)
		if got := strings.Join(d.acted, "; "); w.Code != c.code || got != c.want {
			t.Errorf("%s: %d %q", name, w.Code, got)
		}
	}
	// Each reason has its own words with a way out, and the form stays filled.
	for _, code := range []string{
		life.ImportAnchors, life.ImportSeal, life.ImportMaker, life.ImportCertificate, life.ImportUnit, life.ImportPeriod, life.ImportChain, life.ImportAccreditation, life.ImportKey,
	} {
		d.err = fmt.Errorf("app: %w", &life.ImportError{Code: code, Err: fmt.Errorf("%s", inside)})
		body, mediaType := several(t, map[string]string{"seal": "seal"}, fields...)
		w := h.ask(http.MethodPost, "/console/seals/import", mediaType, body)
		page := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !h.words.Has("desk.import.error."+code) || !strings.Contains(page, h.words.Get("desk.import.error."+code).Zh) ||
			strings.Contains(page, inside) || !strings.Contains(page, `value="对外 行文"`) {
			t.Errorf("%s: %d %s", code, w.Code, page)
		}
	}
	// What the foreign seal says is shown to who answers, without its tricks.
	if page := h.ask(http.MethodGet, "/console/seals/11010000000001", "", "").Body.String(); !strings.Contains(page, "CN=制章系统") || strings.Contains(page, "\u202e") {
		t.Error("the foreign seal is not shown, or not plainly")
	}
}
