package console

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/signer/archive"
)

// Archives are packages of sealed documents (归档包): for the records officer of
// the seal's unit or of the house, and for who asked for the seal.
type Archives interface {
	// ArchiveDefaults are what a form begins with: the person's unit, today.
	ArchiveDefaults(ctx context.Context, p Person) (archive.Metadata, error)
	// Archive makes the package and records it.
	Archive(ctx context.Context, p Person, doc Paper, m archive.Metadata) (Paper, error)
}

func (c *console) mountArchives(r chi.Router) {
	r.Get("/console/archive", c.opened(PageArchive, func(w http.ResponseWriter, q *http.Request, p Person) { c.archives(w, q, p, nil, nil) }))
	r.Post("/console/archive", c.opened(PageArchive, c.archive))
}

type archiveBody struct {
	archive.Metadata
	Retentions []archive.Retention
}

func (c *console) archives(w http.ResponseWriter, r *http.Request, p Person, m *archive.Metadata, cause error) {
	if m == nil {
		d, err := c.cfg.Desk.ArchiveDefaults(r.Context(), p)
		if err != nil {
			c.lost(w, r, p, err)
			return
		}
		m = &d
	}
	c.told(w, r, PageArchive, p, archiveBody{*m, []archive.Retention{archive.Permanent, archive.Years30, archive.Years10}}, cause)
}

func (c *console) archive(w http.ResponseWriter, r *http.Request, p Person) {
	release, err := c.limited(r.Context())
	if err != nil {
		c.archives(w, r, p, nil, err)
		return
	}
	defer release()
	form, err := upload(w, r, "document", maxUpload)
	if err != nil {
		c.archives(w, r, p, nil, err)
		return
	}
	m, err := metadata(form)
	if err == nil && len(form.data) == 0 {
		err = errNoFile
	}
	made := Paper{}
	if err == nil {
		made, err = c.cfg.Desk.Archive(r.Context(), p, Paper{fileName(form.name), form.data}, m)
	}
	if err != nil {
		c.archives(w, r, p, &m, err)
		return
	}
	c.attach(w, r, made)
}

// metadata reads a form; whether it will do is the archive's to say.
func metadata(form filled) (m archive.Metadata, err error) {
	get := func(name string) string { return oneLine(form.Get(name)) }
	m = archive.Metadata{
		DocNo: get("doc_no"), Title: get("title"), Creator: get("creator"), Date: get("date"), Secrecy: get("secrecy"), Retention: archive.Retention(get("retention")),
		Unit: archive.Party{Name: get("unit.name"), USCC: get("unit.uscc")}, Sender: archive.Party{Name: get("sender.name"), USCC: get("sender.uscc")},
		Recipient: archive.Party{Name: get("recipient.name"), USCC: get("recipient.uscc")},
	}
	for _, f := range []struct {
		name string
		into *time.Time
	}{{"sent_at", &m.SentAt}, {"received_at", &m.ReceivedAt}} {
		if *f.into, err = moments("2006-01-02T15:04", get(f.name)); err != nil {
			return m, err
		}
	}
	return m, nil
}
