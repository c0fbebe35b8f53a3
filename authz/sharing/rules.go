package sharing

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/level"
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// shareTypes says which words a regime knows (西政办发〔2014〕14号 art. 24;
// 京政发〔2017〕37号 art. 16).
func shareTypes(r Regime) []ShareType {
	switch r {
	case RegimeXicheng2014:
		return []ShareType{ShareProactive, ShareOnApplication}
	case RegimeBeijing2017:
		return []ShareType{ShareUnconditional, ShareConditional, ShareNotShared}
	}
	return nil
}

// onwardAllowed: under 京政发〔2017〕37号 art. 18 no third party gets anything;
// 西政办发〔2014〕14号 art. 23 leaves it to the provider's consent.
func onwardAllowed(r Regime) bool { return r == RegimeXicheng2014 }

// Validate checks a catalogue entry by itself. State secrets come back as
// level.ErrStateSecret, a missing review or basis as ErrBasis.
func (r Resource) Validate() error {
	if err := r.Label.Validate(); err != nil {
		return fmt.Errorf("sharing: label of %.80q: %w", r.ID, err)
	}
	for _, s := range append([]string{r.Name, r.Basis, r.SecrecyReview}, r.Items...) {
		if namesStateSecret(s) {
			return fmt.Errorf("sharing: %.80q: %w", r.ID, level.ErrStateSecret)
		}
	}
	if !idForm.MatchString(r.ID) || strings.TrimSpace(r.Name) == "" || !plain(r.Name) || !plain(r.Basis) || !plain(r.SecrecyReview) {
		return fmt.Errorf("%w: resource id or name", ErrInvalid)
	}
	if err := r.Provider.Validate(); err != nil {
		return fmt.Errorf("%w: provider: %w", ErrInvalid, err)
	}
	if err := list("information items", r.Items); err != nil {
		return err
	}
	if err := r.itemTags(); err != nil {
		return err
	}
	if !slices.Contains(shareTypes(r.Regime), r.ShareType) {
		return fmt.Errorf("%w: regime %q does not know sharing type %q", ErrInvalid, r.Regime, r.ShareType)
	}
	if strings.TrimSpace(r.SecrecyReview) == "" {
		return fmt.Errorf("%w: no secrecy review", ErrBasis) // X14 art. 16
	}
	if (r.ShareType == ShareNotShared || r.ShareType == ShareOnApplication) && strings.TrimSpace(r.Basis) == "" {
		return fmt.Errorf("%w: %s needs a legal basis", ErrBasis, r.ShareType) // BJ17 art. 16, X14 art. 24
	}
	if r.DefectNotice != "" && !isDigest(r.DefectNotice) {
		return fmt.Errorf("%w: defect notice is not SM3 in lower-case hex", ErrInvalid)
	}
	return nil
}

// namesStateSecret finds a classification mark (密级标志, 保守国家秘密法):
// a secrecy level with its star, as it stands on a document, or the plain word.
func namesStateSecret(s string) bool {
	for _, mark := range []string{"秘密★", "机密★", "绝密★", "秘密☆", "机密☆", "绝密☆"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	switch strings.TrimSpace(s) {
	case "秘密", "机密", "绝密":
		return true
	}
	return false
}

// fits checks an agreement against the resource it is about.
func (a Agreement) fits(r Resource) error {
	if a.Provider != r.Provider {
		return fmt.Errorf("%w: %s is not the provider of %s", ErrInvalid, a.Provider, r.ID)
	}
	if r.ShareType == ShareNotShared {
		return fmt.Errorf("%w: %s is not shared", ErrInvalid, r.ID) // BJ17 art. 16
	}
	for _, f := range a.Fields {
		if !slices.Contains(r.Items, f) {
			return fmt.Errorf("%w: %q is no information item of %s", ErrInvalid, f, r.ID)
		}
	}
	if len(a.Onward) > 0 && !onwardAllowed(r.Regime) {
		return fmt.Errorf("%w: regime %s knows no third party", ErrInvalid, r.Regime)
	}
	if a.DefectAck != "" && a.DefectAck != r.DefectNotice {
		return fmt.Errorf("%w: acknowledges another defect notice", ErrInvalid)
	}
	return nil
}

func (h Holding) validate() error {
	if err := h.Label.Validate(); err != nil {
		return fmt.Errorf("sharing: label of holding %.80q: %w", h.ID, err)
	}
	if !idForm.MatchString(h.ID) || h.System == "" || h.Resource == "" {
		return fmt.Errorf("%w: holding without id, system or resource", ErrInvalid)
	}
	if err := h.Agency.Validate(); err != nil {
		return fmt.Errorf("%w: agency: %w", ErrInvalid, err)
	}
	if !isDigest(h.Payload) {
		return fmt.Errorf("%w: payload is not SM3 in lower-case hex", ErrInvalid)
	}
	if len(h.Sources) > maxList || slices.Contains(h.Sources, h.ID) {
		return fmt.Errorf("%w: sources of the holding", ErrInvalid)
	}
	if !h.Until.IsZero() && !h.At.IsZero() && !h.Until.After(h.At) {
		return fmt.Errorf("%w: the holding ends before it begins", ErrInvalid)
	}
	return nil
}

func isDigest(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && hex.EncodeToString(raw) == s
}
