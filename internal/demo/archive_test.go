package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// X11-12, X14-11: the house packs a document that it sealed, with its own status
// answers, chain and ledger entries; a machine that has the root and nothing else
// comes to the same result, the four properties included, with the command line.
func TestX11_12_HouseArchives(t *testing.T) {
	d := demo(t)
	house := d.Demo.house
	sealed, err := os.ReadFile(filepath.Join(d.dir, d.Manifest.Samples.Sealed))
	ok(t, err)
	owner := unitOf(t, house, signer.Digest(sealed))
	party := archive.Party{Name: "样例区民政局", USCC: owner}
	at := time.Now().UTC().Truncate(time.Second)
	order := app.ArchiveOrder{
		Name: "notice-sealed.ofd", Document: sealed,
		Metadata: archive.Metadata{
			DocNo: "样民发〔2026〕1号", Title: "关于开展社会救助对象信息核对工作的通知（样例）", Creator: party.Name, Date: at.Format(time.DateOnly), Secrecy: archive.NotSecret,
			Retention: archive.Permanent, Unit: party, Sender: party, Recipient: party, SentAt: at, ReceivedAt: at,
		},
	}
	officer := ledger.Actor{Kind: "person", ID: "records-officer", Unit: owner}
	made, err := house.Archive(bg, officer, order)
	ok(t, err)
	if made.Report.Verdict != verify.Valid || made.Receipt.Seq == 0 {
		t.Fatalf("%s\n%+v", made.Report.Verdict, made.Report.Checks)
	}
	clean := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(clean, "anchors"), 0o700))
	root, err := os.ReadFile(filepath.Join(d.dir, d.Manifest.Anchors.SM2Root))
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(clean, "anchors", "root.crt"), root, 0o600))
	ok(t, os.WriteFile(filepath.Join(clean, "package.zip"), made.Package, 0o600))
	var got archive.Report
	ok(t, json.Unmarshal([]byte(sh(t, "cd "+clean+" && "+d.bin+" archive check --json --trust anchors package.zip")), &got))
	if got.Verdict != verify.Valid || got.Verified.Verdict != verify.Valid {
		t.Errorf("%s", got.Verdict)
	}
	for _, id := range []string{archive.CheckLedger, archive.CheckStatus, archive.CheckReport, archive.CheckRendition} {
		if !got.Is(id, verify.Pass, "") {
			t.Errorf("%s: %+v", id, got.Checks)
		}
	}
	for _, p := range got.Properties {
		if p.Result != verify.Pass {
			t.Errorf("%+v", p)
		}
	}
	// The act is on the ledger: announced, then done.
	seen := map[string]int{}
	each(t, house, func(e ledger.Event) {
		if e.Payload == signer.Digest(sealed) && e.Actor.ID == officer.ID {
			seen[e.Type]++
		}
	})
	if seen["signer.document.archiving"] != 1 || seen["signer.document.archived"] != 1 {
		t.Errorf("on the ledger: %v", seen)
	}
	overMTLS(t, d, order, filepath.Join(clean, "anchors"))
	// Not for other units, not for other bytes, not for a secret.
	if _, err := house.Archive(bg, ledger.Actor{Kind: "person", ID: "x", Unit: "11110102MB1234567M"}, order); !errors.Is(err, signer.ErrUnit) {
		t.Errorf("another unit: %v", err)
	}
	other := order
	other.Document = append(bytes.Clone(sealed), 0)
	if _, err := house.Archive(bg, officer, other); !errors.Is(err, signer.ErrNotSealed) {
		t.Errorf("other bytes: %v", err)
	}
	order.Metadata.Secrecy = "秘密"
	if got, err := house.Archive(bg, officer, order); !errors.Is(err, archive.ErrSecret) || got.Package != nil {
		t.Errorf("secret: %v", err)
	}
}

// overMTLS: the same for a system, by curl and by the command line. A system of
// another unit gets none, and a client without a certificate neither.
func overMTLS(t *testing.T, d *running, order app.ArchiveOrder, anchors string) {
	t.Helper()
	dir := t.TempDir()
	body, err := json.Marshal(map[string]any{"name": order.Name, "document": order.Document, "metadata": order.Metadata})
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "order.json"), body, 0o600))
	post := func(system, out string) (string, string) {
		return curl(t, d, system, "-H", "Content-Type: application/json", "--data-binary", "@"+filepath.Join(dir, "order.json"), "-o", filepath.Join(dir, out), d.Manifest.URL+wire.PathArchives)
	}
	if status, _ := post(d.Manifest.Transfer.From, "package.zip"); status != "200" {
		t.Fatalf("for the system of the unit: %s", status)
	}
	var got archive.Report
	ok(t, json.Unmarshal([]byte(sh(t, d.bin+" archive verify --json --trust "+anchors+" "+filepath.Join(dir, "package.zip"))), &got))
	if got.Verdict != verify.Valid || !got.Is(archive.CheckLedger, verify.Pass, "") {
		t.Errorf("%s\n%+v", got.Verdict, got.Checks)
	}
	for system, want := range map[string]string{d.Manifest.Transfer.To: "403", "": "401"} {
		if status, _ := post(system, "refused"); status != want {
			t.Errorf("for %q: %s", system, status)
		}
	}
}

// each calls f with every event of the ledger.
func each(t *testing.T, house *app.House, f func(ledger.Event)) {
	t.Helper()
	var export bytes.Buffer
	ok(t, house.ExportLedger(bg, &export))
	ok(t, ledger.Walk(&export, func(e ledger.Entry, _ ledger.Header) error {
		if e.Body == nil {
			return nil
		}
		ev, err := ledger.Decode(e.Body)
		f(ev)
		return err
	}))
}

// unitOf finds for which unit a document was sealed.
func unitOf(t *testing.T, house *app.House, sm3 string) (unit string) {
	t.Helper()
	each(t, house, func(e ledger.Event) {
		if e.Type == "signer.document.sealed" && e.Payload == sm3 {
			unit = e.Actor.Unit
		}
	})
	if _, err := identity.ParseUSCC(unit); err != nil {
		t.Fatalf("sealed for %q", unit)
	}
	return unit
}
