package demo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/agent"
)

// finish writes the anchors and demo.json and prints what to try.
func (w *walk) finish(ctx context.Context) error {
	w.tell.head("demo.chapter.files")
	if err := w.house.CopyAnchors(w.path("out", "anchors")); err != nil {
		return err
	}
	var err error
	if w.console, err = w.house.ConsoleLink(ctx, w.auditor); err != nil {
		return err
	}
	if w.desk, err = w.deskOf(ctx); err != nil {
		return err
	}
	m, err := w.manifest(ctx)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	// It holds an enrolment token, console links and sample PINs.
	if err := os.WriteFile(w.path(fileManifest), append(raw, '\n'), 0o600); err != nil {
		return err
	}
	for _, f := range []struct{ key, path string }{
		{"demo.files.server", w.path("server")}, {"demo.files.clients", w.path("clients")}, {"demo.files.out", w.path("out")}, {"demo.files.manifest", w.path(fileManifest)},
	} {
		w.tell.line("  " + w.cfg.Words.Get(f.key).Fill("path", f.path).Both())
	}
	w.tell.line("  SM2   SM3 " + m.Anchors.SM2RootSM3)
	w.tell.line("  ECDSA SM3 " + m.Anchors.ECDSARootSM3)
	w.tell.line("  " + w.cfg.Words.Get("demo.files.console").Fill("url", w.console).Both())
	w.tell.line("  " + w.cfg.Words.Get("demo.warning").Both())
	w.tell.head("demo.chapter.try")
	if w.cfg.Stops {
		w.tell.line("  " + w.cfg.Words.Get("demo.try.serve").Fill("command", w.serveCommand()).Both())
	}
	for _, c := range w.commands() {
		w.tell.line("  " + c)
	}
	return w.tell.err
}

// deskOf lists who can walk the people's side of seals with a browser.
func (w *walk) deskOf(ctx context.Context) (map[string]Clerk, error) {
	a, out := w.agencies[unitA], map[string]Clerk{}
	for role, p := range map[identity.Role]person{
		identity.RoleClerk: a.clerk, identity.RoleUnitLeader: a.leader, identity.RoleSealAdministrator: w.sealAdmin, identity.RoleRAOfficer: w.ra,
	} {
		link, err := w.house.ConsoleLink(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		out[string(role)] = Clerk{Name: p.Name, Agency: string(p.Agency), Number: p.ID, PIN: p.pin, Console: link}
	}
	return out, nil
}

// commands are the three to try, from the folder in which the demo was started.
func (w *walk) commands() []string {
	a := w.agencies[unitA].system.ID
	ask := fmt.Sprintf(`{"subject":{"type":"system","id":"%s"},"action":{"name":"read"},"resource":{"type":"resource","id":"%s"},"context":{"purpose":"%s"}}`, a, resNotice, purposeAssist)
	in := func(parts ...string) string { return quote(w.path(parts...)) }
	return []string{
		fmt.Sprintf("curl --cacert %s --cert %s --key %s -H 'Content-Type: application/json' -d '%s' %s/access/v1/evaluation",
			in("out", "anchors", "ecdsa-root.crt"), in("clients", a, agent.FileTLSCert), in("clients", a, agent.FileTLSKey), ask, w.url),
		fmt.Sprintf("%s verify --trust %s %s", w.cfg.Program, in("out", "anchors"), in(w.samples.Sealed)),
		fmt.Sprintf("%s ledger verify --key %s %s", w.cfg.Program, in(w.ledger.Key), in(w.ledger.Export)),
	}
}

// serveCommand starts the same house again.
func (w *walk) serveCommand() string {
	return w.cfg.Program + " serve --dir " + quote(w.path("server"))
}

// quote makes one word of a path for a POSIX shell.
func quote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// manifest builds demo.json.
func (w *walk) manifest(ctx context.Context) (Manifest, error) {
	anchors := func(name string) string { return filepath.Join("out", "anchors", name) }
	got := w.house.Anchors(ctx)
	tlsRoot, _ := w.house.Roots()
	m := Manifest{
		Schema: 1, Notice: w.cfg.Words.Get("demo.warning").Both(), URL: w.url, Console: w.console, AuthZEN: w.url + "/access/v1/evaluation",
		OpenAPI: w.url + "/api/openapi.json", StepCA: w.url, Status: w.house.StatusURL(),
		Anchors: Anchors{
			SM2Root: anchors("sm2-root.crt"), SM2Issuing: anchors("sm2-issuing.crt"), ECDSARoot: anchors("ecdsa-root.crt"), ECDSAIssuing: anchors("ecdsa-issuing.crt"),
			TrustDir: filepath.Join("out", "anchors"), SM2RootSM3: got.SM2RootSM3, ECDSARootSM3: got.ECDSARootSM3, ECDSARootS256: fmt.Sprintf("%x", sha256.Sum256(tlsRoot.Raw)),
		},
		Agencies: map[string]Agency{}, Systems: map[string]System{}, Resources: map[string]Resource{}, Agreements: w.terms, Seals: map[string]Seal{}, Desk: w.desk,
		Enrolments: w.spare, ACME: ACME{Directory: w.url + "/acme/acme/directory", Accounts: w.acme}, Transfer: w.transfer, Samples: w.samples, Ledger: w.ledger,
		Server: Server{Dir: "server", Listen: w.listen, Command: w.serveCommand()},
	}
	for key, a := range w.agencies {
		m.Agencies[key] = Agency{USCC: string(a.unit.USCC), Name: a.unit.Name}
		dir := filepath.Join("clients", a.system.ID)
		m.Systems[a.system.ID] = System{
			Agency: string(a.unit.USCC), Name: a.system.Name, Grade: a.grade.String(), Hosts: a.system.Hosts, Dir: dir,
			TLSCert: filepath.Join(dir, agent.FileTLSCert), TLSKey: filepath.Join(dir, agent.FileTLSKey),
			SignCert: filepath.Join(dir, agent.FileSignCert), SignKey: filepath.Join(dir, agent.FileSignKey),
			EncCert: filepath.Join(dir, agent.FileEncCert), EncKey: filepath.Join(dir, agent.FileEncKey),
		}
		m.Seals[a.sealID] = Seal{Unit: string(a.unit.USCC), Name: a.sealOrder.Name, File: filepath.Join("out", "seal-"+a.sealID+".esl"), Picture: filepath.Join("out", "seal-"+a.sealID+".png")}
	}
	for _, r := range w.resources() {
		m.Resources[r.ID] = Resource{Name: r.Name, Provider: string(r.Provider), Label: r.Label.String(), Items: r.Items}
	}
	return m, nil
}
