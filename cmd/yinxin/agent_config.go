package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/pflag"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// agentFlags are common to all commands of a system.
type agentFlags struct {
	url, root, sm2Root, dir, system string
	tlcp                            string                 // of the commands that call the house
	given                           func(name string) bool // on the command line
}

// bind adds the flags that say where the folder of the system and the house are.
func (f *agentFlags) bind(u *ui, flags *pflag.FlagSet) {
	for _, flag := range []struct {
		into        *string
		name, value string
	}{
		{&f.url, "url", "https://localhost:8443"}, {&f.root, "root", "ecdsa-root.crt"}, {&f.sm2Root, "sm2-root", "sm2-root.crt"}, {&f.dir, "dir", "."},
	} {
		flags.StringVar(flag.into, flag.name, flag.value, u.words.Get("agent.flag."+flag.name).Both())
	}
	f.given = flags.Changed
}

// config reads the two roots that everything else is checked against: from the
// flags, or else what a joined folder remembers.
func (f agentFlags) config() (agent.Config, error) {
	cfg := agent.Config{URL: f.url, TLCP: f.tlcp, Dir: f.dir, System: f.system}
	if agent.Joined(f.dir) {
		kept, err := agent.Load(f.dir)
		if err != nil {
			return cfg, hinted(err)
		}
		cfg.Owner = kept.Owner
		if !f.given("url") {
			cfg.URL = kept.URL
		}
		if !f.given("root") && !f.given("sm2-root") {
			cfg.TLSRoot, cfg.SM2Root = kept.TLSRoot, kept.SM2Root
			return cfg, nil
		}
	}
	return f.roots(cfg)
}

// joined is config for what works on a joined folder only.
func (f agentFlags) joined() (agent.Config, error) {
	if !agent.Joined(f.dir) {
		return agent.Config{}, hinted(fmt.Errorf("%w: %s has not joined a house", agent.ErrFiles, f.dir))
	}
	return f.config()
}

// roots reads both from files.
func (f agentFlags) roots(cfg agent.Config) (agent.Config, error) {
	der, err := readRoot(f.root)
	if err == nil {
		cfg.TLSRoot, err = x509.ParseCertificate(der)
	}
	if err != nil {
		return cfg, fail(fmt.Errorf("--root %s: %w", f.root, err), "agent.hint.roots")
	}
	if der, err = readRoot(f.sm2Root); err == nil {
		cfg.SM2Root, err = smx509.ParseCertificate(der)
	}
	if err != nil {
		return cfg, fail(fmt.Errorf("--sm2-root %s: %w", f.sm2Root, err), "agent.hint.roots")
	}
	return cfg, nil
}

func readRoot(file string) ([]byte, error) {
	raw, err := readFile(file, maxCertFile)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE" || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errNoCertificate
	}
	return block.Bytes, nil
}

// open loads the folder of an enrolled system.
func (f agentFlags) open() (*agent.Agent, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	a, err := agent.Open(cfg)
	return a, hinted(err)
}

// hinted gives an error of the agent its hint.
func hinted(err error) error {
	if err == nil {
		return nil
	}
	var p *agent.ProblemError
	if errors.As(err, &p) {
		hint := "agent.hint.refused"
		switch {
		case p.Code == "enrol.token", errors.Is(err, agent.ErrHalf):
			hint = "agent.hint.token"
		case strings.HasPrefix(p.Code, "peer."):
			hint = "agent.hint.peer"
		}
		return fail(errors.New(text.Plain(err.Error())), hint)
	}
	for _, h := range []struct {
		err  error
		hint string
	}{
		{agent.ErrClock, "agent.hint.clock"}, {agent.ErrFingerprint, "agent.hint.fingerprint"}, {agent.ErrExpired, "agent.hint.expired"}, {agent.ErrBusy, "agent.hint.busy"},
		{agent.ErrEnrolled, "agent.hint.enrolled"}, {agent.ErrFiles, "agent.hint.files"}, {agent.ErrEnvelope, "agent.hint.envelope"},
		{agent.ErrServer, "agent.hint.server"}, {agent.ErrConfig, "agent.hint.url"},
	} {
		if errors.Is(err, h.err) {
			return fail(err, h.hint)
		}
	}
	return fail(err, "agent.hint.refused")
}
