package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

// tokenEnv is read when no other source of the token is named.
const tokenEnv = "YINXIN_TOKEN"

const maxToken = 1 << 10

// joinFlags are those of `agent join`.
type joinFlags struct {
	token, tokenFile, fingerprint, servedBy string
	replace                                 bool
}

// newAgentJoin turns one token into a complete folder. It was called enrol.
func newAgentJoin(u *ui, f *agentFlags) *cobra.Command {
	var j joinFlags
	cmd := &cobra.Command{
		Use: "join", Aliases: []string{"enrol"}, Short: u.words.Get("agent.join.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := j.readToken(u)
			if err != nil {
				return fail(err, "agent.hint.token_source")
			}
			cfg, err := f.joining(cmd.Context(), j.fingerprint)
			if err != nil {
				return err
			}
			if j.servedBy != "" {
				if cfg.Owner, err = lookupOwner(j.servedBy); err != nil {
					return fail(fmt.Errorf("--served-by: %w", err), "agent.hint.served-by")
				}
			}
			cfg.Replace = j.replace
			a, err := agent.Enrol(cmd.Context(), cfg, token)
			if err != nil {
				return hinted(err)
			}
			defer a.Close()
			if u.json {
				return u.printJSON(map[string]any{"system": a.System(), "dir": f.dir, "held": a.Held()})
			}
			u.line("", "agent.join.done", data("system", a.System()), data("dir", f.dir))
			return nil
		},
	}
	for _, flag := range []struct {
		into *string
		name string
	}{{&j.token, "token"}, {&j.tokenFile, "token-file"}, {&j.fingerprint, "fingerprint"}, {&j.servedBy, "served-by"}} {
		cmd.Flags().StringVar(flag.into, flag.name, "", u.words.Get("agent.flag."+flag.name).Both())
	}
	cmd.Flags().BoolVar(&j.replace, "replace", false, u.words.Get("agent.flag.replace").Both())
	return cmd
}

// readToken takes the one-time token from a private file, stdin, the flag or
// the environment.
func (j joinFlags) readToken(u *ui) (token string, err error) {
	switch {
	case j.token != "" && j.tokenFile != "":
		return "", errors.New("--token and --token-file exclude one another")
	case j.token != "":
		// Everybody on the machine can read the arguments of a process.
		fmt.Fprintln(u.err, u.words.Get("agent.join.seen").Both())
		token = j.token
	case j.tokenFile == "-":
		raw, err := readOpen(u.in, "stdin", maxToken)
		if err != nil {
			return "", err
		}
		token = string(raw)
	case j.tokenFile != "":
		if err := private(j.tokenFile); err != nil {
			return "", err
		}
		raw, err := readFile(j.tokenFile, maxToken)
		if err != nil {
			return "", err
		}
		token = string(raw)
	default:
		token = os.Getenv(tokenEnv)
	}
	if token = strings.TrimSpace(token); token == "" || len(token) > maxToken {
		return "", fmt.Errorf("no enrolment token: neither --token-file, --token nor %s holds one", tokenEnv)
	}
	return token, nil
}

// joining is the configuration of a first contact. Something that was handed
// over by another way has to vouch for the house: a root file or a fingerprint.
func (f agentFlags) joining(ctx context.Context, fingerprint string) (agent.Config, error) {
	if fingerprint == "" && (!f.given("root") || f.given("sm2-root")) {
		return f.config() // both files, or a folder that knows its house
	}
	cfg := agent.Config{URL: f.url, Dir: f.dir, System: f.system}
	if fingerprint != "" && f.given("root") {
		return cfg, fail(errors.New("--root and --fingerprint exclude one another"), "agent.hint.trust")
	}
	if fingerprint == "" {
		der, err := readRoot(f.root)
		if err == nil {
			cfg.TLSRoot, err = x509.ParseCertificate(der)
		}
		if err != nil {
			return cfg, fail(fmt.Errorf("--root %s: %w", f.root, err), "agent.hint.trust")
		}
	}
	cfg, err := agent.Discover(ctx, cfg, fingerprint)
	return cfg, hinted(err)
}

// lookupOwner reads USER, USER:GROUP or :GROUP.
func lookupOwner(s string) (*agent.Owner, error) {
	name, group, _ := strings.Cut(s, ":")
	o := &agent.Owner{UID: -1, GID: -1}
	if name != "" {
		who, err := user.Lookup(name)
		if err != nil {
			return nil, err
		}
		if o.UID, err = strconv.Atoi(who.Uid); err != nil {
			return nil, err
		}
	}
	var err error
	if group != "" {
		o.GID, err = lookupGroup(group)
	}
	if name == "" && group == "" {
		err = fmt.Errorf("%q names neither a user nor a group", s)
	}
	return o, err
}

func lookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(g.Gid)
}
