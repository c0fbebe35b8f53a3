package desk

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

// What a draft is; the ending of its name.
const (
	draftAsked   = "asked"   // a document that waits for the leader's answer, or for its seal
	draftSealed  = "sealed"  // a sealed document that its requester has not fetched
	draftFetched = "fetched" // … has fetched: kept a day more, should the way home have failed
	draftPicture = "picture" // the picture of a seal that was applied for
	draftNew     = "new"     // not yet part of anything
	draftWhy     = "why"     // key of the text why a document of a batch was not sealed
)

// dirDesk is the folder of drafts among the blobs.
const dirDesk = "desk"

// maxDraftHead bounds what stands before the bytes of a draft.
const maxDraftHead = 64 << 10

// errDraft: what is kept is not what was put there.
var errDraft = errors.New("desk: a kept document does not read")

// draft is a document with what the desk knows of it and the register does not.
type draft struct {
	Name  string           `json:"name,omitempty"`  // of the file, as it was uploaded
	Place signer.Placement `json:"place,omitzero"`  // of a request made before the register kept it
	Width int              `json:"width,omitempty"` // of a picture, millimetres
	Bytes []byte           `json:"-"`
}

// drafts keeps documents between a request and the hand of its requester: each a
// CMS envelope to a key of the house that does nothing else, so that neither the
// folder nor a copy of it shows a document (GB/T 22239 8.1.4.8).
type drafts struct {
	blobs Blobs
	key   crypto.Decrypter
	certs [][]byte
}

func draftName(id, kind string) string { return dirDesk + "/" + id + "." + kind }

// put keeps a draft; an older one of the same name is replaced whole.
func (d *drafts) put(ctx context.Context, id, kind string, v draft) error {
	head, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("desk: keep a document: %w", err)
	}
	if len(head) > maxDraftHead {
		return fmt.Errorf("%w: a head of %d bytes", errDraft, len(head))
	}
	env, err := cms.Encrypt(slices.Concat(head, []byte("\n"), v.Bytes), d.certs[0])
	if err != nil {
		return fmt.Errorf("desk: keep a document: %w", err)
	}
	return d.blobs.Put(ctx, draftName(id, kind), env)
}

// get opens a draft; fs.ErrNotExist when it is not kept (any more).
func (d *drafts) get(ctx context.Context, id, kind string) (draft, error) {
	f, err := d.blobs.Get(ctx, draftName(id, kind))
	if err != nil {
		return draft{}, fmt.Errorf("desk: kept document: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, cms.MaxSize))
	if err = errors.Join(err, f.Close()); err != nil {
		return draft{}, fmt.Errorf("desk: kept document: %w", err)
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

// rename moves a draft, whole or not at all; its time starts anew.
func (d *drafts) rename(ctx context.Context, id, kind, toID, toKind string) error {
	return d.blobs.Move(ctx, draftName(id, kind), draftName(toID, toKind))
}

// drop deletes a draft; one that is not there is no error.
func (d *drafts) drop(ctx context.Context, id, kind string) error {
	if err := d.blobs.Delete(ctx, draftName(id, kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("desk: delete a kept document: %w", err)
	}
	return nil
}

// draftFile is a file in the folder of drafts.
type draftFile struct {
	id, kind string
	age      time.Duration
}

// document says whether it belongs to a request for a seal.
func (f draftFile) document() bool {
	return f.kind == draftAsked || f.kind == draftSealed || f.kind == draftFetched
}

func (d *drafts) list(ctx context.Context, now time.Time) ([]draftFile, error) {
	all, err := d.blobs.List(ctx, dirDesk)
	if err != nil {
		return nil, fmt.Errorf("desk: kept documents: %w", err)
	}
	var out []draftFile
	for name, at := range all {
		dot := strings.LastIndexByte(name, '.')
		out = append(out, draftFile{name[:max(dot, 0)], name[dot+1:], now.Sub(at)})
	}
	return out, nil
}
