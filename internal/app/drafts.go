package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

// keyDrafts decrypts what the desk keeps.
const keyDrafts = "drafts"

// What a draft is; the ending of its name.
const (
	draftAsked   = "asked"   // a document that waits for the leader's answer, or for its seal
	draftSealed  = "sealed"  // a sealed document that its requester has not fetched
	draftFetched = "fetched" // … has fetched: kept a day more, should the way home have failed
	draftPicture = "picture" // the picture of a seal that was applied for
	draftNew     = "new"     // not yet part of anything
)

// dirDesk is the folder of drafts among the blobs.
const dirDesk = "desk"

// maxDraftHead bounds what stands before the bytes of a draft.
const maxDraftHead = 64 << 10

// errDraft: what is kept is not what was put there.
var errDraft = errors.New("app: a kept document does not read")

// draft is a document with what the desk knows of it and the register does not.
type draft struct {
	Name  string           `json:"name,omitempty"`  // of the file, as it was uploaded
	Place signer.Placement `json:"place,omitzero"`  // where the stamp shall go
	Width int              `json:"width,omitempty"` // of a picture, millimetres
	Bytes []byte           `json:"-"`
}

// drafts keeps documents between a request and the hand of its requester: each a
// CMS envelope to a key of the house that does nothing else, so that neither the
// folder nor a copy of it shows a document (GB/T 22239 8.1.4.8).
type drafts struct {
	blobs blobs
	key   keys.Decrypter
	certs [][]byte // of the key, newest first: an older draft is addressed to an older one
	now   func() time.Time
}

// openDrafts makes what a house of an earlier version lacks, as openTrack does.
func (h *House) openDrafts(ctx context.Context) (*drafts, error) {
	all, err := h.rooms.CA.CertificatesOf(ctx, keyDrafts)
	if err != nil {
		return nil, fmt.Errorf("app: certificates of %s: %w", keyDrafts, err)
	}
	all = slices.DeleteFunc(all, func(c ca.Certificate) bool { return !c.Signed() })
	slices.SortFunc(all, func(a, b ca.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	soon := h.cfg.Now().AddDate(1, 0, 0)
	d := &drafts{blobs: blobs{filepath.Join(h.cfg.Dir, dirBlobs)}, now: h.cfg.Now}
	inForce := len(all) > 0 && all[0].State == ca.StateGood && soon.Before(all[0].NotAfter)
	d.key, err = h.custody.dir.OpenDecrypter(ctx, keyDrafts, nil)
	if errors.Is(err, keys.ErrNotFound) && !inForce {
		if _, err = h.custody.dir.Create(ctx, keys.Spec{ID: keyDrafts, Algorithm: keys.SM2, Purpose: keys.PurposeEncrypt, Owner: "desk"}); err == nil {
			d.key, err = h.custody.dir.OpenDecrypter(ctx, keyDrafts, nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("app: open key %s: %w", keyDrafts, err)
	}
	if !inForce {
		made, err := h.certifyDrafts(ctx)
		if err != nil {
			return nil, errors.Join(err, d.key.Close())
		}
		all = append([]ca.Certificate{made}, all...)
	}
	for _, c := range all {
		d.certs = append(d.certs, c.DER)
	}
	return d, nil
}

func (h *House) certifyDrafts(ctx context.Context) (ca.Certificate, error) {
	pub, err := h.custody.public(ctx, keyDrafts)
	if err != nil {
		return ca.Certificate{}, err
	}
	out, err := h.CA.IssueSM2(ctx, h.service(), ca.IssueSpec{
		ID: "service-" + keyDrafts, Kind: ca.KindService, Profile: profile.SM2Keep, Public: pub, Agency: h.cfg.USCC, System: keyDrafts,
		Subject: profile.Subject{CommonName: h.cfg.Organization + "待办文件保管", Organization: h.cfg.Organization},
	})
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("app: certificate of %s: %w", keyDrafts, err)
	}
	return out.Certificate, nil
}

func draftName(id, kind string) string { return dirDesk + "/" + id + "." + kind }

// put keeps a draft; an older one of the same name is replaced whole.
func (d *drafts) put(ctx context.Context, id, kind string, v draft) error {
	head, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("app: keep a document: %w", err)
	}
	if len(head) > maxDraftHead {
		return fmt.Errorf("%w: a head of %d bytes", errDraft, len(head))
	}
	env, err := cms.Encrypt(slices.Concat(head, []byte("\n"), v.Bytes), d.certs[0])
	if err != nil {
		return fmt.Errorf("app: keep a document: %w", err)
	}
	if err := d.blobs.Put(ctx, draftName(id, kind), env); err != nil {
		return err
	}
	return d.touch(id, kind)
}

// touch dates a draft by the clock of the house, which the sweep goes by.
func (d *drafts) touch(id, kind string) error {
	p, err := d.blobs.path(draftName(id, kind))
	if err != nil {
		return err
	}
	return os.Chtimes(p, d.now(), d.now())
}

// get opens a draft; fs.ErrNotExist when it is not kept (any more).
func (d *drafts) get(ctx context.Context, id, kind string) (draft, error) {
	f, err := d.blobs.Get(ctx, draftName(id, kind))
	if err != nil {
		return draft{}, fmt.Errorf("app: kept document: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, cms.MaxSize))
	if err = errors.Join(err, f.Close()); err != nil {
		return draft{}, fmt.Errorf("app: kept document: %w", err)
	}
	var plain []byte
	for _, cert := range d.certs {
		if plain, err = cms.Decrypt(raw, cert, d.key); !errors.Is(err, cms.ErrRecipient) {
			break
		}
	}
	if err != nil {
		return draft{}, fmt.Errorf("%w: %w", errDraft, err)
	}
	head, body, ok := bytes.Cut(plain, []byte("\n"))
	v := draft{Bytes: body}
	if !ok || len(head) > maxDraftHead {
		return draft{}, errDraft
	}
	if err := json.Unmarshal(head, &v); err != nil {
		return draft{}, fmt.Errorf("%w: %w", errDraft, err)
	}
	return v, nil
}

// kept says whether there is a draft.
func (d *drafts) kept(id, kind string) bool {
	p, err := d.blobs.path(draftName(id, kind))
	if err != nil {
		return false
	}
	_, err = os.Stat(p)
	return err == nil
}

// rename moves a draft, whole or not at all.
func (d *drafts) rename(id, kind, toID, toKind string) error {
	from, err := d.blobs.path(draftName(id, kind))
	if err != nil {
		return err
	}
	to, err := d.blobs.path(draftName(toID, toKind))
	if err != nil {
		return err
	}
	return os.Rename(from, to)
}

// drop deletes a draft; one that is not there is no error.
func (d *drafts) drop(ctx context.Context, id, kind string) error {
	if err := d.blobs.Delete(ctx, draftName(id, kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("app: delete a kept document: %w", err)
	}
	return nil
}

// draftFile is a file in the folder of drafts.
type draftFile struct {
	id, kind string
	age      time.Duration
}

func (d *drafts) list() ([]draftFile, error) {
	entries, err := os.ReadDir(filepath.Join(d.blobs.dir, dirDesk))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("app: kept documents: %w", err)
	}
	var out []draftFile
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("app: kept documents: %w", err)
		}
		at := strings.LastIndexByte(e.Name(), '.')
		out = append(out, draftFile{e.Name()[:max(at, 0)], e.Name()[at+1:], d.now().Sub(info.ModTime())})
	}
	return out, nil
}
