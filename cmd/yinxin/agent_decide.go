package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

func newAgentSend(u *ui, f *agentFlags) *cobra.Command {
	var r wire.SendRequest
	cmd := &cobra.Command{
		Use: "send FILE", Short: u.words.Get("agent.send.short").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.To == "" || r.Resource == "" {
				return fail(errors.New("--to and --resource are required"), "agent.hint.send")
			}
			r.Name = filepath.Base(args[0])
			if r.Document, err = readFile(args[0], maxSent); err != nil {
				return fail(err, "agent.hint.document")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			t, err := a.Send(cmd.Context(), r)
			if err != nil {
				return u.refused(err)
			}
			if u.json {
				return u.printJSON(t)
			}
			u.line("", "agent.send.done", data("id", t.ID), data("to", t.To), data("label", t.Label.String()),
				data("decision", t.Decision), data("seq", fmt.Sprint(t.Receipt.Seq)))
			return nil
		},
	}
	cmd.Flags().StringVar(&r.To, "to", "", u.words.Get("agent.flag.to").Both())
	cmd.Flags().StringVar(&r.Resource, "resource", "", u.words.Get("agent.flag.resource").Both())
	cmd.Flags().StringVar(&r.Purpose, "purpose", "", u.words.Get("agent.flag.purpose").Both())
	cmd.Flags().StringSliceVar(&r.Fields, "field", nil, u.words.Get("agent.flag.field").Both())
	return cmd
}

// refused prints the grounds of a denied decision and ends with code 1; any
// other error is one of use or of the server.
func (u *ui) refused(err error) error {
	var p *agent.ProblemError
	if !errors.As(err, &p) || p.Code != "decision.denied" {
		return hinted(err)
	}
	if u.json {
		if err := u.printJSON(p.Problem); err != nil {
			return err
		}
		return result(exitInvalid)
	}
	u.line("", "agent.decide.deny", data("id", p.Decision))
	u.printReasons(p.Reasons)
	return result(exitInvalid)
}

func (u *ui) printReasons(reasons []wire.Reason) {
	for _, r := range reasons {
		fmt.Fprintf(u.out, "  %s (%s) %s\n", text.Plain(r.Code), text.Plain(strings.Join(r.Clauses, ", ")), text.Plain(r.Detail))
		fmt.Fprintf(u.out, "    %s / %s\n", text.Plain(r.Zh), text.Plain(r.En))
		fmt.Fprintf(u.out, "    → %s / %s\n", text.Plain(r.FixZh), text.Plain(r.FixEn))
	}
}

// evaluation is an AuthZEN evaluation that a system asks for itself.
type evaluation struct{ action, resource, target, purpose, label string }

func (q evaluation) build(system string) (map[string]any, error) {
	context := map[string]any{}
	if q.target != "" {
		context["target_system"] = q.target
	}
	if q.purpose != "" {
		context["purpose"] = q.purpose
	}
	if q.label != "" {
		l, err := level.Parse("L" + strings.TrimPrefix(q.label, "L"))
		if err != nil {
			return nil, err
		}
		context["target_label"] = l
	}
	return map[string]any{
		"subject":  map[string]string{"type": "system", "id": system},
		"action":   map[string]string{"name": q.action},
		"resource": map[string]string{"type": "resource", "id": q.resource},
		"context":  context,
	}, nil
}

// verdict is the part of the standard's answer, and of ours in its context,
// that is printed.
type verdict struct {
	Decision *bool `json:"decision"`
	Context  struct {
		ID          string        `json:"id"`
		Reasons     []wire.Reason `json:"reasons"`
		Obligations []struct {
			Kind  string `json:"kind"`
			Value string `json:"value"`
		} `json:"obligations"`
	} `json:"context"`
}

func newAgentDecide(u *ui, f *agentFlags) *cobra.Command {
	var q evaluation
	cmd := &cobra.Command{
		Use: "decide", Short: u.words.Get("agent.decide.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.action == "" || q.resource == "" {
				return fail(errors.New("--action and --resource are required"), "agent.hint.decide")
			}
			if _, err := q.build(""); err != nil {
				return fail(fmt.Errorf("--label: %w", err), "agent.hint.decide")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			body, err := q.build(a.System())
			if err != nil {
				return fail(err, "agent.hint.decide")
			}
			raw, err := a.Evaluate(cmd.Context(), body)
			if err != nil {
				return hinted(err)
			}
			var v verdict
			if err := json.Unmarshal(raw, &v); err != nil || v.Decision == nil {
				return fail(errors.Join(errors.New("the answer is no decision"), err), "agent.hint.server")
			}
			return u.printVerdict(v, raw)
		},
	}
	cmd.Flags().StringVar(&q.action, "action", "", u.words.Get("agent.flag.action").Both())
	cmd.Flags().StringVar(&q.resource, "resource", "", u.words.Get("agent.flag.resource").Both())
	cmd.Flags().StringVar(&q.target, "target", "", u.words.Get("agent.flag.target").Both())
	cmd.Flags().StringVar(&q.purpose, "purpose", "", u.words.Get("agent.flag.purpose").Both())
	cmd.Flags().StringVar(&q.label, "label", "", u.words.Get("agent.flag.label").Both())
	return cmd
}

func (u *ui) printVerdict(v verdict, raw json.RawMessage) error {
	code, key := exitInvalid, "agent.decide.deny"
	if *v.Decision {
		code, key = exitOK, "agent.decide.allow"
	}
	if u.json {
		if err := u.printJSON(raw); err != nil {
			return err
		}
		return result(code)
	}
	u.line("", key, data("id", v.Context.ID))
	u.printReasons(v.Context.Reasons)
	for _, o := range v.Context.Obligations {
		fmt.Fprintf(u.out, "  %s: %s\n", text.Plain(o.Kind), text.Plain(o.Value))
	}
	return result(code)
}
