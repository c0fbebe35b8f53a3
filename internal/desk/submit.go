package desk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

// maxKept is how many requests of one person may have documents kept.
const maxKept = 20

// Submit implements console.Uses. The documents are on the disk, encrypted, before
// the request exists, and become part of it after. Of a batch each document is
// checked here, so that the leader is not asked in vain.
func (d *Service) Submit(ctx context.Context, p console.Person, f console.UseForm) (string, error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
		return "", err
	}
	if len(f.Papers) == 0 {
		return "", console.ErrForm
	}
	cited, err := d.cited(ctx, f.Consents)
	if err != nil {
		return "", err
	}
	if len(f.Papers) > 1 {
		if len(cited) > 0 {
			return "", fmt.Errorf("%w: a document that quotes is asked about by itself", signer.ErrBatch)
		}
		f.Papers = named(f.Papers)
		for _, doc := range f.Papers {
			if err := d.cfg.Signer.Check(ctx, d.actor(p), signer.UseRequest{Seal: f.Seal, Document: doc.Bytes, Type: f.Type, Place: f.Place}); err != nil {
				return "", &console.PaperError{Name: doc.Name, Err: err}
			}
		}
	}
	if err := d.room(ctx, p, f); err != nil { // before anything is written; asked again below
		return "", err
	}
	loose := make([]string, len(f.Papers))
	for i, doc := range f.Papers {
		loose[i] = d.cfg.NewID()
		if err = d.drafts.put(ctx, loose[i], draftNew, draft{Name: doc.Name, Bytes: doc.Bytes}); err != nil {
			break
		}
	}
	head := ""
	if err == nil {
		head, err = d.count(ctx, p, f, cited, loose)
	}
	if head == "" && err != nil {
		ctx = context.WithoutCancel(ctx)
		for _, id := range loose {
			err = errors.Join(err, d.drafts.drop(ctx, id, draftNew))
		}
		return "", err
	}
	return head, err
}

// count records a request while no other one is counted, and makes the documents
// that are written already part of it. No id: nothing was recorded.
func (d *Service) count(ctx context.Context, p console.Person, f console.UseForm, cited []cite.Citation, loose []string) (string, error) {
	d.asking.Lock()
	defer d.asking.Unlock()
	if err := d.room(ctx, p, f); err != nil {
		return "", err
	}
	head, uses, err := d.request(ctx, p, f, cited)
	if err != nil {
		return "", err
	}
	for i, id := range loose {
		err = errors.Join(err, d.drafts.rename(ctx, id, draftNew, uses[i], draftAsked))
	}
	return head, err
}

// request records it, and returns its id and for each document the id of its use.
func (d *Service) request(ctx context.Context, p console.Person, f console.UseForm, cited []cite.Citation) (head string, uses []string, err error) {
	if len(f.Papers) == 1 {
		u, _, err := d.cfg.Signer.RequestUse(ctx, d.actor(p), signer.UseRequest{
			Seal: f.Seal, Document: f.Papers[0].Bytes, Title: f.Title, Type: f.Type, Purpose: f.Purpose, Place: f.Place, Citations: cited,
		})
		return u.ID, []string{u.ID}, err
	}
	b, _, err := d.cfg.Signer.RequestBatch(ctx, d.actor(p), signer.BatchRequest{
		Seal: f.Seal, Title: f.Title, Type: f.Type, Purpose: f.Purpose, Place: f.Place, Manifest: listed(f.Papers),
	})
	if err != nil {
		return "", nil, err
	}
	items, err := d.cfg.Signer.Items(ctx, b.ID)
	byTitle := map[string]string{}
	for _, it := range items {
		byTitle[it.Title] = it.ID
	}
	for _, doc := range f.Papers {
		uses = append(uses, byTitle[doc.Name])
	}
	return b.ID, uses, err
}

func listed(docs []console.Paper) signer.Manifest {
	var m signer.Manifest
	for _, doc := range docs {
		m = append(m, signer.Listed{Path: doc.Name, Size: int64(len(doc.Bytes)), SM3: signer.Digest(doc.Bytes)})
	}
	slices.SortFunc(m, func(a, b signer.Listed) int { return strings.Compare(a.Path, b.Path) })
	return m
}

// manifestOf is the list that was asked about.
func manifestOf(items []signer.Item) (m signer.Manifest) {
	for _, it := range items {
		m = append(m, signer.Listed{Path: it.Title, Size: it.Size, SM3: it.Document})
	}
	return m
}

// named gives each document of a batch a name of its own that prints as it is:
// the leader reads it in the list that is signed.
func named(docs []console.Paper) []console.Paper {
	out, taken := slices.Clone(docs), map[string]bool{}
	for i := range out {
		base := path.Base(strings.ReplaceAll(out[i].Name, `\`, "/"))
		base = strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == '"' || r == '/' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
				return '_'
			}
			return r
		}, base))
		if strings.Trim(base, ".") == "" {
			base = "document"
		}
		ext := path.Ext(base)
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(base, ext), n, ext)
		}
		taken[name], out[i].Name = true, name
	}
	return out
}

// cited takes from the register what the consents are for; whether they are for
// this document and unit is the signer's to say.
func (d *Service) cited(ctx context.Context, consents []string) (out []cite.Citation, err error) {
	for _, id := range consents {
		c, err := d.cfg.Documents.Cite(ctx, id, "")
		if errors.Is(err, sharing.ErrNotFound) {
			return nil, fmt.Errorf("%w: no consent %.80q", signer.ErrCitation, id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// room refuses a request that is open already, and one more than a person may
// have kept.
func (d *Service) room(ctx context.Context, p console.Person, f console.UseForm) error {
	mine, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Requester: p.ID, Heads: true, Limit: signer.MaxUses})
	if err != nil {
		return err
	}
	all, err := d.drafts.list(ctx, d.cfg.Now())
	if err != nil {
		return err
	}
	documents := map[string]bool{}
	for _, f := range all {
		documents[f.id] = documents[f.id] || f.document()
	}
	kept, sum := 0, signer.Digest(f.Papers[0].Bytes)
	if len(f.Papers) > 1 {
		sum = listed(f.Papers).Digest()
	}
	for _, u := range mine {
		if u.Seal == f.Seal && u.Document == sum && (u.State == signer.UseRequested || u.State == signer.UseApproved) {
			return console.ErrRepeated
		}
		has := documents[u.ID]
		if !has && d.fresh(u) { // a batch has none of its own
			items, err := d.cfg.Signer.Items(ctx, u.ID)
			if err != nil && !errors.Is(err, signer.ErrBatch) {
				return err
			}
			has = slices.ContainsFunc(items, func(it signer.Item) bool { return documents[it.ID] })
		}
		if has {
			kept++
		}
	}
	if kept >= maxKept {
		return console.ErrTooMany
	}
	return nil
}

// fresh says whether documents of a request may be kept still.
func (d *Service) fresh(u signer.Use) bool {
	switch u.State {
	case signer.UseRequested, signer.UseApproved, signer.UseSealing:
		return true
	case signer.UseSealed:
		return d.cfg.Now().Sub(u.SealedAt) <= keepSealed+keepFetched+sweepEvery
	}
	return false
}
