package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/archive"
)

func (d *deskOf) ArchiveDefaults(context.Context, Person) (archive.Metadata, error) {
	u := archive.Party{Name: "样例区民政局", USCC: "11110102MB1234567M"}
	return archive.Metadata{Creator: u.Name, Secrecy: archive.NotSecret, Retention: archive.Years30, Unit: u, Sender: u, Recipient: u}, nil
}

func (d *deskOf) Archive(_ context.Context, _ Person, doc Paper, m archive.Metadata) (Paper, error) {
	if err := d.act("archive %s %d %s %s %s", doc.Name, len(doc.Bytes), m.Title, m.SentAt.Format(time.RFC3339), m.Retention); err != nil {
		return Paper{}, err
	}
	return Paper{Name: "通知-归档.zip", Bytes: []byte("package")}, m.Validate()
}

// X11-12: the package comes as a file; a refusal says which field, and what was
// typed stays in the form.
func TestArchivePage(t *testing.T) {
	h, d := newDesk(t)
	good := []string{
		"doc_no", "样〔2026〕1号", "title", "关于  样例", "creator", "样例局", "date", "2026-03-01", "secrecy", "非涉密", "retention", "30", "unit.name", "样例局", "unit.uscc", "11110102MB1234567M",
		"sender.name", "样例局", "sender.uscc", "11110102MB1234567M", "recipient.name", "样例街道", "recipient.uscc", "11110102MB1234567M", "sent_at", "2026-03-01T09:00", "received_at", "2026-03-01T09:05",
	}
	with := func(name, value string) []string {
		out := append([]string{}, good...)
		for i := 0; i < len(out); i += 2 {
			if out[i] == name {
				out[i+1] = value
			}
		}
		return out
	}
	doc := map[string]string{"document": "bytes"}
	body, mediaType := several(t, doc, good...)
	w := h.ask(http.MethodPost, "/console/archive", mediaType, body)
	if w.Code != http.StatusOK || w.Body.String() != "package" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") ||
		strings.Join(d.acted, ";") != "archive document.bin 5 关于 样例 2026-03-01T09:00:00+08:00 30" {
		t.Errorf("%d %v %v", w.Code, w.Header(), d.acted)
	}
	for name, c := range map[string]struct {
		files  map[string]string
		fields []string
		code   int
		key    string
	}{
		"no file":        {nil, good, http.StatusBadRequest, "console.verify.no_file"},
		"no time":        {doc, with("sent_at", "gestern"), http.StatusBadRequest, "desk.error.form"},
		"received first": {doc, with("received_at", "2026-03-01T08:00"), http.StatusUnprocessableEntity, "desk.archive.error.received_at"},
		"a wrong code":   {doc, with("recipient.uscc", "123"), http.StatusUnprocessableEntity, "desk.archive.error.recipient.uscc"},
		"a secret":       {doc, with("secrecy", "机密"), http.StatusUnprocessableEntity, "problem.state_secret"},
	} {
		body, mediaType := several(t, c.files, c.fields...)
		w := h.ask(http.MethodPost, "/console/archive", mediaType, body)
		if page := w.Body.String(); w.Code != c.code || !h.words.Has(c.key) || !strings.Contains(page, h.words.Get(c.key).Zh) || !strings.Contains(page, `value="样〔2026〕1号"`) {
			t.Errorf("%s: %d %s", name, w.Code, page)
		}
	}
}

// Every field that metadata can be refused for has its words.
func TestArchiveFieldsHaveTexts(t *testing.T) {
	h, _ := newDesk(t)
	for _, f := range []string{
		"doc_no", "title", "creator", "secrecy", "unit.name", "sender.name", "recipient.name", "unit.uscc", "sender.uscc", "recipient.uscc", "date", "retention", "sent_at", "received_at",
	} {
		if !h.words.Has("desk.archive.error." + f) {
			t.Errorf("no words for %s", f)
		}
	}
}
