package desk

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
)

// Archiver makes and records archive packages of documents that were sealed here,
// for units: whose seal it is, and the house.
type Archiver interface {
	ArchivePackage(ctx context.Context, actor ledger.Actor, name string, document []byte, m archive.Metadata) ([]byte, error)
}

// Sealed finds the use of a seal by the SM3 of what it made; signer.ErrNotFound.
type Sealed interface {
	SealedAs(ctx context.Context, sm3 string) (signer.Use, error)
}

// ArchiveDefaults implements console.Archives.
func (d *Service) ArchiveDefaults(ctx context.Context, p console.Person) (archive.Metadata, error) {
	name, err := d.agency(ctx, identity.USCC(p.Unit))
	unit := archive.Party{Name: name, USCC: p.Unit}
	return archive.Metadata{Creator: name, Secrecy: archive.NotSecret, Retention: archive.Permanent, Unit: unit, Sender: unit, Recipient: unit}, err
}

// Archive implements console.Archives: for a records officer, of the unit or of
// the house, and for the person who asked for the seal.
func (d *Service) Archive(ctx context.Context, p console.Person, doc console.Paper, m archive.Metadata) (console.Paper, error) {
	officer, err := d.holds(ctx, p, identity.RoleRecordsOfficer)
	if err != nil {
		return console.Paper{}, err
	}
	if !officer {
		use, err := d.cfg.Sealed.SealedAs(ctx, signer.Digest(doc.Bytes))
		switch {
		case errors.Is(err, signer.ErrNotFound):
			return console.Paper{}, signer.ErrNotSealed
		case err != nil:
			return console.Paper{}, err
		case use.Requester != p.ID:
			return console.Paper{}, console.ErrForbidden
		}
		if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
			return console.Paper{}, err
		}
	}
	made, err := d.cfg.Archiver.ArchivePackage(ctx, d.actor(p), doc.Name, doc.Bytes, m)
	if err != nil {
		return console.Paper{}, err
	}
	stem := strings.TrimSuffix(doc.Name, path.Ext(doc.Name))
	return console.Paper{Name: stem + "-归档-" + d.now().In(time.FixedZone("UTC+8", 8*3600)).Format("20060102") + ".zip", Bytes: made}, nil
}
