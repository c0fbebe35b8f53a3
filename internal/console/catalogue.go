package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// PageCatalogue is the catalogue of information resources (政务信息资源目录).
const PageCatalogue = "catalogue"

// Resources are the catalogue: everybody with the page reads it; the copies of a
// resource are its provider's to see.
type Resources interface {
	// Catalogue finds entries by a part of name or code; after is the last id of the
	// page before. With an id it shows that one.
	Catalogue(ctx context.Context, p Person, find, after, id string) (CatalogueList, error)
}

// CatalogueList is what the page shows.
type CatalogueList struct {
	Find     string
	Entries  []sharing.Entry
	Next     string // id to go on from
	Entry    *sharing.Entry
	Changes  []sharing.Change
	Disputed bool       // feedback on it waits for the provider's answer
	Copies   []CopyLine // for the provider
	More     bool       // there are more copies than are listed
	Withheld []sharing.Withheld
}

// CopyLine is a copy with the name of the unit that keeps it.
type CopyLine struct {
	sharing.Copy
	UnitName string
	Overdue  bool
}

func (c *console) mountCatalogue(r chi.Router) {
	r.Get("/console/catalogue", c.opened(PageCatalogue, func(w http.ResponseWriter, r *http.Request, p Person) {
		q := r.URL.Query()
		find := oneLine(q.Get("find"))
		if len(find) > maxLine {
			find = ""
		}
		list, err := c.cfg.Desk.Catalogue(r.Context(), p, find, q.Get("after"), q.Get("id"))
		if err != nil {
			c.lost(w, r, p, err)
			return
		}
		c.told(w, r, PageCatalogue, p, list, nil)
	}))
}
