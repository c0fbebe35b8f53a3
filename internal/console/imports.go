package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Imports bring seals of accredited services into the house (导入): by who makes
// seals, then the leader of the owning unit signs on the page of the seal.
type Imports interface {
	// ImportKeys are the keys in custody that wait for a seal, and the units that
	// another can be made for.
	ImportKeys(ctx context.Context, p Person) (ImportList, error)
	// MakeImportKey makes a key for a unit; RequestOf is the PKCS#10 request over
	// it, PEM, for the service that certifies it.
	MakeImportKey(ctx context.Context, p Person, unit string) error
	RequestOf(ctx context.Context, p Person, key string) (Paper, error)
	ImportSeal(ctx context.Context, p Person, f ImportForm) (id string, err error)
}

// ImportList is what the page of imports begins with.
type ImportList struct {
	Keys  []SealKey
	Units []Named
}

// SealKey is a key in custody. Its owner is the unit of the seal that it gets.
type SealKey struct{ ID, Unit, UnitName, Class, SPKISM3 string }

// ImportForm is a seal as its maker delivered it.
type ImportForm struct {
	KeyID, Kind, Purpose string
	Filing               string // of the picture
	Seal                 []byte
	Certificates         [][]byte // DER
	Authorisation        signer.Authorisation
}

// Foreign is what an imported seal says of itself, for who answers.
type Foreign struct {
	Maker, Signer, Issuer string // names of certificates
	Certificate           string // SM3 of the signer's
	CertFrom, CertUntil   string // RFC 3339
	Layout, Vendor, SM3   string // of the seal
}

// maxImport bounds each file of an import.
const maxImport = seal.MaxSize

func (c *console) mountImports(r chi.Router) {
	r.Get("/console/seals/import", c.opened(PageSeals, func(w http.ResponseWriter, q *http.Request, p Person) { c.imports(w, q, p, ImportForm{}, nil) }))
	r.Post("/console/seals/import", c.opened(PageSeals, c.importSeal))
	r.Post("/console/seals/import/keys", c.opened(PageSeals, func(w http.ResponseWriter, q *http.Request, p Person) {
		err := fields(w, q)
		if err == nil {
			err = c.cfg.Desk.MakeImportKey(q.Context(), p, q.PostForm.Get("unit"))
		}
		c.back(w, q, p, "/console/seals/import", err, func(w http.ResponseWriter, q *http.Request, p Person, err error) {
			c.imports(w, q, p, ImportForm{}, err)
		})
	}))
	r.Get("/console/seals/import/keys/{id}/request", c.opened(PageSeals, c.download(c.cfg.Desk.RequestOf)))
}

type importBody struct {
	ImportList
	Form  ImportForm
	Kinds []string
	Pers  []signer.Period
	Staff []Named // nobody is named here: the leader's unit does, later
}

func (c *console) imports(w http.ResponseWriter, r *http.Request, p Person, f ImportForm, cause error) {
	list, err := c.cfg.Desk.ImportKeys(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	kinds := []string{life.KindStatutory, life.KindInternal, life.KindBranch, life.KindSpecial, life.KindPersonal}
	c.told(w, r, pageImport, p, importBody{ImportList: list, Form: f, Kinds: kinds, Pers: periods()}, cause)
}

func (c *console) importSeal(w http.ResponseWriter, r *http.Request, p Person) {
	form, err := upload(w, r, maxImport, 1, "seal", "certificates")
	if err != nil {
		c.imports(w, r, p, ImportForm{}, err)
		return
	}
	f := ImportForm{
		KeyID: form.Get("key"), Kind: form.Get("kind"), Purpose: oneLine(form.Get("purpose")), Filing: oneLine(form.Get("picture_filing")),
		Seal: form.file("seal").Bytes, Certificates: verify.Certificates(form.file("certificates").Bytes),
	}
	id := ""
	if f.Authorisation, err = authorisation(form.Values); err == nil && len(f.Seal) == 0 {
		err = errNoFile
	}
	if err == nil {
		id, err = c.cfg.Desk.ImportSeal(r.Context(), p, f)
	}
	if err != nil {
		f.Seal, f.Certificates = nil, nil
		c.imports(w, r, p, f, err)
		return
	}
	http.Redirect(w, r, "/console/seals/"+id, http.StatusSeeOther)
}
