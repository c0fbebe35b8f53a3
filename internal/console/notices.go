package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageNotices is what the house tells systems outside (通知).
const PageNotices = "notices"

// Notices shows what was told, and keeps the receivers.
type Notices interface {
	Notices(ctx context.Context, p Person) (NoticeList, error)
	// AddChannel returns the secret of a webhook, which is shown this once.
	AddChannel(ctx context.Context, p Person, c notify.Channel) (secret string, err error)
	MoveChannel(ctx context.Context, p Person, id string, to notify.State) error
	TestChannel(ctx context.Context, p Person, id string) error
	RetryNotice(ctx context.Context, p Person, channel, notice string) error
}

// NoticeList is what the page shows. A unit's administrator sees the notices of
// the own unit and no channel.
type NoticeList struct {
	Recent   []notify.Notice // newest first
	Channels []notify.Standing
	Sees     bool // channels
	MayWrite bool
}

type noticesBody struct {
	NoticeList
	Secret     string
	Kinds      []notify.Kind
	Severities []notify.Severity
}

// channelActs are the buttons of a channel that change its state.
var channelActs = map[string]notify.State{"pause": notify.Paused, "resume": notify.Active, "remove": notify.Removed}

func (c *console) mountNotices(r chi.Router) {
	r.Get("/console/notices", c.opened(PageNotices, first(c.notices)))
	r.Post("/console/notices", c.opened(PageNotices, c.addChannel))
	r.Post("/console/notices/{id}/{act}", c.opened(PageNotices, c.actOnChannel))
}

func (c *console) notices(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	c.noticesPage(w, r, p, "", cause)
}

func (c *console) noticesPage(w http.ResponseWriter, r *http.Request, p Person, secret string, cause error) {
	list, err := c.cfg.Desk.Notices(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageNotices, p, noticesBody{list, secret, notify.Kinds(), notify.Severities()}, cause)
}

// addChannel answers with the page itself where there is a secret: it is kept
// wrapped, and shown this once.
func (c *console) addChannel(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	secret := ""
	if err == nil {
		var ch notify.Channel
		if ch, err = channelForm(r.PostForm); err == nil {
			secret, err = c.cfg.Desk.AddChannel(r.Context(), p, ch)
		}
	}
	if err == nil && secret != "" {
		c.noticesPage(w, r, p, secret, nil)
		return
	}
	c.back(w, r, p, "/console/notices", err, c.notices)
}

// channelForm reads a channel; the scheme of the address says of which kind.
func channelForm(f map[string][]string) (notify.Channel, error) {
	get := func(name string) string { return strings.TrimSpace(strings.Join(f[name], "")) }
	ch := notify.Channel{Name: oneLine(get("name")), Kind: notify.Syslog, Address: get("address"), Unit: get("unit"), Roots: []byte(get("roots"))}
	if strings.HasPrefix(strings.ToLower(ch.Address), "https:") {
		ch.Kind = notify.Webhook
	}
	for _, s := range notify.Severities() {
		if s.String() == get("severity") {
			ch.Severity = s
		}
	}
	for _, k := range f["kind"] {
		ch.Kinds = append(ch.Kinds, notify.Kind(k))
	}
	if ch.Name == "" || ch.Address == "" || ch.Severity == 0 || text.Plain(ch.Name) != ch.Name {
		return ch, ErrForm
	}
	return ch, nil
}

func (c *console) actOnChannel(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		id, act := chi.URLParam(r, "id"), chi.URLParam(r, "act")
		switch to, moves := channelActs[act]; {
		case moves:
			err = c.cfg.Desk.MoveChannel(r.Context(), p, id, to)
		case act == "test":
			err = c.cfg.Desk.TestChannel(r.Context(), p, id)
		case act == "retry":
			err = c.cfg.Desk.RetryNotice(r.Context(), p, id, r.PostForm.Get("notice"))
		default:
			err = ErrForm
		}
	}
	c.back(w, r, p, "/console/notices", err, c.notices)
}
