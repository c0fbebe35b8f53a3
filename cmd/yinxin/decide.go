package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// newDecideCommand evaluates recorded decisions again. Asking a running house is
// `yinxin agent decide`.
func newDecideCommand(u *ui) *cobra.Command {
	var dir, db, id, since string
	var all bool
	c := &cobra.Command{
		Use: "decide --replay ID | --replay-all [--since DAY]", Short: u.words.Get("decide.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all == (id != "") || since != "" && !all {
				return fail(errors.New("--replay needs the id of a decision, or --replay-all"), "decide.hint.id")
			}
			var from time.Time
			if since != "" {
				var err error
				if from, err = time.ParseInLocation(time.DateOnly, since, time.FixedZone("UTC+8", 8*3600)); err != nil {
					return fail(errors.New("--since is a day, YYYY-MM-DD"), "decide.hint.id")
				}
			}
			if !all && !ledger.ValidID(id) {
				return fail(errors.New("--replay needs the id of a decision"), "decide.hint.id")
			}
			s, err := app.LoadSettings(dir)
			if err != nil {
				return fail(err, startHint(err))
			}
			if db != "" {
				if err := app.CheckDB(db); err != nil {
					return fail(err, startHint(err))
				}
				s.DB = db
			}
			if all {
				sum, err := app.ReplayAll(cmd.Context(), u.house(s, dir), from)
				if err != nil {
					return fail(err, replayHint(err))
				}
				return u.printReplays(sum)
			}
			got, err := app.Replay(cmd.Context(), u.house(s, dir), id)
			if err != nil {
				return fail(err, replayHint(err))
			}
			return u.printReplay(got)
		},
	}
	c.Flags().StringVar(&id, "replay", "", u.words.Get("decide.flag.replay").Both())
	c.Flags().BoolVar(&all, "replay-all", false, u.words.Get("decide.flag.all").Both())
	c.Flags().StringVar(&since, "since", "", u.words.Get("decide.flag.since").Both())
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	c.Flags().StringVar(&db, "db", "", u.words.Get("cli.init.db").Both())
	return c
}

// printReplays ends with 1 when a record does not come out again, and with 3 when
// there are some that this program cannot judge.
func (u *ui) printReplays(s app.ReplaySummary) error {
	code := exitOK
	switch {
	case len(s.Differ)+len(s.Altered) > 0:
		code = exitInvalid
	case len(s.OtherRules) > 0 || s.NotKept > 0:
		code = exitIndeterminate
	}
	if u.json {
		if err := u.printJSON(s); err != nil {
			return err
		}
		return result(code)
	}
	u.say("decide.all.same", "n", fmt.Sprint(s.Decisions), "same", fmt.Sprint(s.Same))
	for _, part := range []struct {
		key string
		ids []string
	}{{"decide.all.differ", s.Differ}, {"decide.all.altered", s.Altered}} {
		if len(part.ids) > 0 {
			u.say(part.key, "n", fmt.Sprint(len(part.ids)), "ids", strings.Join(part.ids, " "))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(s.OtherRules)) {
		u.say("decide.all.rules", "n", fmt.Sprint(s.OtherRules[what]), "what", what)
	}
	if s.NotKept > 0 {
		u.say("decide.all.kept", "n", fmt.Sprint(s.NotKept))
	}
	if s.NotJudged > 0 {
		u.say("decide.all.judged", "n", fmt.Sprint(s.NotJudged))
	}
	return result(code)
}

func replayHint(err error) string {
	var rules *authz.RulesError
	switch {
	case errors.As(err, &rules), errors.Is(err, domain.ErrEngine):
		return "decide.hint.rules"
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, authz.ErrNotDecision):
		return "decide.hint.id"
	case errors.Is(err, authz.ErrNotJudged), errors.Is(err, domain.ErrNotJudged), errors.Is(err, store.ErrNotKept):
		return "decide.hint.kept"
	case errors.Is(err, authz.ErrAltered), errors.Is(err, domain.ErrAltered):
		return "cli.hint.ledger"
	}
	return startHint(err)
}

// replayShown is the object of decide --replay --json; the bodies are
// canonical, so they stand here as they were compared.
type replayShown struct {
	ID       string          `json:"id"`
	Same     bool            `json:"same"`
	Differs  []string        `json:"differs"`
	Recorded json.RawMessage `json:"recorded"`
	Again    json.RawMessage `json:"again"`
}

func (u *ui) printReplay(r authz.Replayed) error {
	code := exitOK
	if !r.Same {
		code = exitInvalid
	}
	if u.json {
		shown := replayShown{r.Decision.ID, r.Same, append([]string{}, r.Differs...), r.Recorded, r.Again}
		if err := u.printJSON(shown); err != nil {
			return err
		}
		return result(code)
	}
	verdict := "agent.decide.deny"
	if r.Decision.Allow {
		verdict = "agent.decide.allow"
	}
	u.say(verdict, "id", r.Decision.ID)
	for _, reason := range r.Decision.Reasons {
		fmt.Fprintf(u.out, "  %s (%s) %s\n    %s / %s\n", reason.Code, strings.Join(reason.Clauses, ", "), text.Plain(reason.Detail), reason.Zh, reason.En)
	}
	if r.Same {
		u.say("decide.same", "bytes", fmt.Sprint(len(r.Recorded)), "digest", app.SM3Hex(r.Recorded))
	} else {
		u.say("decide.differs", "members", strings.Join(r.Differs, ", "))
	}
	return result(code)
}
