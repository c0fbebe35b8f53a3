package archive

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ErrNoEntry: the ledger has no entry about the document.
var ErrNoEntry = errors.New("archive: no ledger entry about this document")

// Evidence is what the ledger says of a document.
type Evidence struct {
	Slice   []byte // of ledger.Slice
	CertDER []byte // of the key that signed the checkpoint
}

// Ledger is where evidence is cut from. Open is called twice: the first reading
// finds under which digest the document was applied for before it was sealed.
type Ledger struct {
	Open    func() (Shard, error)
	CertDER []byte // of the key that signs checkpoints
}

// Shard is the entries that a checkpoint covers.
type Shard struct {
	Entries ledger.Source
	Number  uint32
	Note    []byte
	Close   func() error // nil: nothing to close
}

// Cut writes the entries about a document: whatever names its SM3, or the SM3 that
// it had before the seal.
func (l Ledger) Cut(sm3 string) (*Evidence, error) {
	c, err := smx509.ParseCertificate(l.CertDER)
	if err != nil {
		return nil, fmt.Errorf("archive: ledger certificate: %w", err)
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("archive: ledger certificate: %w", ledger.ErrKey)
	}
	digests := map[string]bool{sm3: true}
	err = l.each(func(s Shard) error {
		return s.Entries(func(e ledger.Entry) error {
			if e.Body == nil {
				return nil
			}
			ev, err := ledger.Decode(e.Body)
			if err == nil && ev.Payload == sm3 && ev.Details[detailBefore] != "" {
				digests[ev.Details[detailBefore]] = true
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	n := 0
	err = l.each(func(s Shard) error {
		n, err = ledger.Slice(&out, s.Entries, s.Number, s.Note, key, func(e *ledger.Event) bool { return digests[e.Payload] || digests[e.Details[detailBefore]] })
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, ErrNoEntry
	}
	return &Evidence{Slice: out.Bytes(), CertDER: l.CertDER}, nil
}

// detailBefore is where the event of sealing names the unsealed document.
const detailBefore = "document_sm3"

func (l Ledger) each(do func(Shard) error) error {
	s, err := l.Open()
	if err != nil {
		return err
	}
	err = do(s)
	if s.Close != nil {
		err = errors.Join(err, s.Close())
	}
	return err
}

// ledger judges the slice: by a key that an anchor vouches for, and about this
// document.
func (j *judge) ledger() error {
	if j.c.by[fileSlice] == nil {
		j.found[CheckLedger] = skipped(ReasonNoLedger, "")
		return nil
	}
	raw, err := j.c.read(fileSlice)
	if err != nil {
		return err
	}
	keys := j.opt.LedgerKeys
	by := ""
	if der, err := j.c.read(fileLedgerCrt); err == nil {
		at := j.archived
		if at.IsZero() {
			at = j.opt.Now()
		}
		if path := j.opt.Trust.Path(der, at, j.certs...); path != nil {
			if key, ok := path[0].PublicKey.(*ecdsa.PublicKey); ok {
				keys, by = append(keys[:len(keys):len(keys)], key), text.Name(path[0].Subject)
			}
		}
	}
	rep, events, err := ledger.VerifySlice(bytes.NewReader(raw), ledger.Policy{Keys: keys})
	if err != nil {
		return err
	}
	about := 0
	for _, e := range events {
		if e.Payload == j.rep.SM3 || e.Details[detailBefore] == j.rep.SM3 {
			about++
		}
	}
	switch {
	case rep.Verdict == ledger.Invalid:
		j.found[CheckLedger] = fail(ReasonLedger, rep.Findings[0].Code)
	case len(keys) == 0:
		j.found[CheckLedger] = cannot(ReasonUntrusted, rep.Origin)
	case rep.Verdict != ledger.Valid:
		j.found[CheckLedger] = cannot(ReasonLedger, rep.Findings[0].Code)
	case about == 0:
		j.found[CheckLedger] = fail(ReasonLedgerOther, rep.Origin)
	default:
		j.found[CheckLedger] = finding{verify.Pass, "", fmt.Sprintf("%s: %d; %s", rep.Origin, rep.Entries, by)}
	}
	return nil
}
