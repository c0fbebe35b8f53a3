package demo

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// tamperDocument flips one byte of a page in a copy of the sealed document; the
// verifier must say that it is invalid and which file changed.
func (w *walk) tamperDocument(ctx context.Context) error {
	w.tell.head("demo.chapter.tamper")
	pkg, err := ofd.Open(w.sealed)
	if err != nil {
		return err
	}
	target := strings.TrimPrefix(pkg.Pages()[0].Path, "/")
	bad, err := flip(w.sealed, target)
	if err != nil {
		return err
	}
	if w.samples.Tampered, err = w.sample("notice-tampered.ofd", bad); err != nil {
		return err
	}
	w.samples.TamperedFile = "/" + target
	rep, err := w.house.Verify(ctx, bad)
	if err != nil {
		return err
	}
	if rep.Verdict != verify.Invalid || rep.Integrity != verify.Altered {
		return fmt.Errorf("the flipped document is %s, %s", rep.Verdict, rep.Integrity)
	}
	for _, c := range rep.Signatures[0].Checks {
		if c.Result == verify.Fail && strings.Contains(c.Detail, target) {
			w.tell.plain(false, "demo.tamper.document", "verdict", string(rep.Verdict), "check", c.ID, "file", w.samples.TamperedFile)
			return nil
		}
	}
	return errors.New("no check names the file that changed")
}

// flip returns a copy of a package with the middle byte of one entry changed.
func flip(pkg []byte, name string) ([]byte, error) {
	zr, err := zip.NewReader(bytes.NewReader(pkg), int64(len(pkg)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range zr.File {
		if f.Name != name {
			if err := zw.Copy(f); err != nil {
				return nil, err
			}
			continue
		}
		if err := flipEntry(zw, f); err != nil {
			return nil, err
		}
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func flipEntry(zw *zip.Writer, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	dst, err := zw.CreateHeader(&zip.FileHeader{Name: f.Name, Method: f.Method, Flags: f.Flags & 0x800})
	if err != nil {
		return err
	}
	_, err = dst.Write(data)
	return err
}

// exportLedger exports, verifies offline with the public key alone, then edits
// one row in a copy and has the verifier name it.
func (w *walk) exportLedger(ctx context.Context) error {
	w.tell.head("demo.chapter.ledger")
	const name = "ledger.jsonl"
	f, err := os.OpenFile(w.path("out", name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(w.house.ExportLedger(ctx, f), f.Close()); err != nil {
		return err
	}
	raw, err := os.ReadFile(w.path("out", name))
	if err != nil {
		return err
	}
	rep, err := w.verifyLedger(raw)
	if err != nil {
		return err
	}
	if rep.Verdict != ledger.Valid {
		return fmt.Errorf("the export is %s", rep.Verdict)
	}
	w.ledger = Ledger{Export: "out/" + name, Key: "out/anchors/ledger.crt", Origin: rep.Origin, Size: rep.Entries}
	w.tell.plain(true, "demo.ledger.valid", "n", fmt.Sprint(rep.Entries), "root", rep.Root)

	bad, at, err := editRow(raw)
	if err != nil {
		return err
	}
	if w.samples.LedgerTampered, err = w.sample("ledger-tampered.jsonl", bad); err != nil {
		return err
	}
	if rep, err = w.verifyLedger(bad); err != nil {
		return err
	}
	if rep.Verdict != ledger.Invalid || rep.FirstBadSeq == nil || *rep.FirstBadSeq != at {
		return fmt.Errorf("the edited export is %s, first bad %v, want %d", rep.Verdict, rep.FirstBadSeq, at)
	}
	w.samples.FirstBadSeq = at
	w.tell.plain(false, "demo.ledger.tampered", "seq", fmt.Sprint(at))
	return w.tell.err
}

func (w *walk) verifyLedger(raw []byte) (*ledger.Report, error) {
	crt, err := smx509.ParseCertificate(w.house.LedgerCertificate())
	if err != nil {
		return nil, err
	}
	pub, ok := crt.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the ledger's key is not an SM2 key")
	}
	return ledger.Verify(bytes.NewReader(raw), ledger.Policy{Keys: []*ecdsa.PublicKey{pub}})
}

// editRow turns the outcome of the first denial into an allowance and leaves
// everything else as it is: what a hostile administrator would do first.
func editRow(export []byte) (edited []byte, seq uint64, err error) {
	var out bytes.Buffer
	done := false
	sc := bufio.NewScanner(bytes.NewReader(export))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Bytes()
		var row struct {
			Seq    uint64 `json:"seq"`
			ID     string `json:"id"`
			Header []byte `json:"header"`
			Salt   []byte `json:"salt"`
			Body   []byte `json:"body"`
		}
		if !done && json.Unmarshal(line, &row) == nil && bytes.Contains(row.Body, []byte(`"decision":"deny"`)) {
			row.Body = bytes.Replace(row.Body, []byte(`"decision":"deny"`), []byte(`"decision":"allow"`), 1)
			if line, err = json.Marshal(row); err != nil {
				return nil, 0, err
			}
			seq, done = row.Seq, true
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	if !done {
		return nil, 0, errors.New("the export holds no denial")
	}
	return out.Bytes(), seq, sc.Err()
}
