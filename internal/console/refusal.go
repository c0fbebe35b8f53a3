package console

import (
	"errors"
	"net/http"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// refusals tells outcomes apart for people; the first that fits counts.
var refusals = []struct {
	err  error
	key  string
	code int
}{
	{ErrPartly, "desk.error.partly", http.StatusConflict}, // first: what stopped the others is in it
	{ErrForbidden, "console.forbidden", http.StatusForbidden},
	{ErrSealing, "desk.error.sealing", http.StatusConflict},
	{ErrNotKept, "desk.error.not_kept", http.StatusGone},
	{ErrAnswered, "desk.error.answered", http.StatusConflict},
	{ErrTooMany, "desk.error.too_many", http.StatusTooManyRequests},
	{ErrThree, "desk.error.three", http.StatusForbidden},
	{ErrLast, "desk.error.last", http.StatusConflict},
	{ErrRepeated, "desk.error.repeated", http.StatusConflict},
	{ErrForm, "desk.error.form", http.StatusBadRequest},
	{identity.ErrLeft, "desk.error.left", http.StatusConflict},
	{identity.ErrNoContact, "unit.no_contact", http.StatusConflict},
	{signer.ErrBatch, "desk.error.batch", http.StatusUnprocessableEntity},
	{signer.ErrManifest, "desk.error.names", http.StatusUnprocessableEntity},
	{errBusy, "problem.busy", http.StatusServiceUnavailable},
	{errNoFile, "console.verify.no_file", http.StatusBadRequest},
	{signin.ErrLocked, "desk.error.locked", http.StatusTooManyRequests},
	{signin.ErrPIN, "desk.error.pin", http.StatusForbidden},
	{signin.ErrWeakPIN, "console.enter.pin_weak", http.StatusBadRequest},
	{signin.ErrSamePIN, "desk.error.same_pin", http.StatusBadRequest},
	{signin.ErrSession, "console.enter.refused", http.StatusForbidden},
	{errPINsDiffer, "console.enter.pin_differs", http.StatusBadRequest},
	{sharing.ErrViolation, "violation.error.state", http.StatusConflict},
	{sharing.ErrApplication, "application.error.state", http.StatusConflict},
	{sharing.ErrNotParty, "console.forbidden", http.StatusForbidden},
	{sharing.ErrBasis, "application.error.reason", http.StatusBadRequest},
	{sharing.ErrNotInForce, "application.error.ended", http.StatusConflict},
	{sharing.ErrNotProvider, "problem.holding.provider", http.StatusForbidden},
	{approval.ErrSelf, "desk.error.self", http.StatusForbidden},
	{approval.ErrReason, "problem.seal.reason", http.StatusBadRequest},
	{approval.ErrDecided, "desk.error.answered", http.StatusConflict},
	{approval.ErrNotAllowed, "console.forbidden", http.StatusForbidden},
	{approval.ErrInvalid, "desk.error.form", http.StatusBadRequest},
	{signer.ErrNotSealed, "problem.archive.not_sealed", http.StatusUnprocessableEntity},
	{archive.ErrSecret, "problem.state_secret", http.StatusUnprocessableEntity},
	{archive.ErrMetadata, "problem.archive.metadata", http.StatusUnprocessableEntity},
	{archive.ErrDocument, "problem.archive.document", http.StatusUnprocessableEntity},
	{archive.ErrLimit, "problem.document.limit", http.StatusUnprocessableEntity},
	{archive.ErrStamp, "problem.seal.stamp", http.StatusServiceUnavailable},
	{signer.ErrLapsed, "problem.seal.lapsed", http.StatusConflict},
	{signer.ErrRefused, "problem.seal.refused", http.StatusConflict},
	{signer.ErrNotApproved, "problem.seal.unapproved", http.StatusConflict},
	{signer.ErrChanged, "problem.seal.changed", http.StatusConflict},
	{signer.ErrPlace, "problem.seal.place", http.StatusConflict},
	{signer.ErrExcluded, "problem.seal.excluded", http.StatusUnprocessableEntity},
	{signer.ErrCitation, "problem.seal.citation", http.StatusUnprocessableEntity},
	{signer.ErrDocument, "problem.seal.document", http.StatusUnprocessableEntity},
	{signer.ErrUnit, "problem.seal.unit", http.StatusForbidden},
	{signer.ErrUser, "problem.seal.user", http.StatusForbidden},
	{signer.ErrHours, "problem.seal.hours", http.StatusConflict},
	{signer.ErrQuota, "problem.seal.quota", http.StatusConflict},
	{signer.ErrStamp, "problem.seal.stamp", http.StatusServiceUnavailable},
	{signer.ErrExists, "problem.seal.exists", http.StatusConflict},
	{signer.ErrNotFound, "problem.seal.unknown", http.StatusNotFound},
	{life.ErrCompromised, "problem.seal.compromised", http.StatusConflict},
	{life.ErrRole, "problem.seal.role", http.StatusForbidden},
	{life.ErrSeparation, "problem.seal.separation", http.StatusForbidden},
	{life.ErrFiling, "problem.seal.filing", http.StatusBadRequest},
	{life.ErrReason, "problem.seal.reason", http.StatusBadRequest},
	{life.ErrAsked, "problem.seal.asked", http.StatusConflict},
	{life.ErrNotAsked, "problem.seal.not_asked", http.StatusConflict},
	{life.ErrPicture, "problem.seal.picture", http.StatusConflict},
	{life.ErrPeriod, "problem.seal.period", http.StatusConflict},
	{life.ErrConflict, "problem.seal.conflict", http.StatusConflict},
	{signer.ErrSealState, "problem.seal.state", http.StatusConflict},
	{signer.ErrInvalid, "problem.seal.invalid", http.StatusBadRequest},
	{ca.ErrRevoked, "problem.certificate.revoked", http.StatusConflict},
	{ca.ErrState, "problem.certificate.state", http.StatusConflict},
	{ca.ErrDecided, "desk.error.answered", http.StatusConflict},
	{ca.ErrSelf, "desk.error.self", http.StatusForbidden},
	{ca.ErrInvalid, "desk.error.form", http.StatusBadRequest},
	{ErrDrawn, "acme.error.drawn", http.StatusConflict},
	{acmestore.ErrNotFound, "acme.error.text", http.StatusNotFound},
	{ca.ErrNotFound, "desk.systems.unknown", http.StatusNotFound},
	{kmc.ErrUnchecked, "problem.recovery.unchecked", http.StatusConflict},
	{kmc.ErrReceiver, "problem.recovery.receiver", http.StatusConflict},
	{kmc.ErrRepeated, "desk.error.repeated", http.StatusConflict},
	{kmc.ErrPending, "problem.recovery.pending", http.StatusConflict},
	{kmc.ErrRefused, "problem.recovery.refused", http.StatusConflict},
	{kmc.ErrLapsed, "problem.recovery.lapsed", http.StatusConflict},
	{kmc.ErrDelivered, "problem.recovery.delivered", http.StatusConflict},
	{kmc.ErrRole, "console.forbidden", http.StatusForbidden},
	{kmc.ErrInvalid, "desk.error.recovery", http.StatusBadRequest},
	{kmc.ErrUnused, "problem.recovery.unused", http.StatusConflict},
	{kmc.ErrNotFound, "problem.recovery.unknown", http.StatusNotFound},
	{authority.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{authority.ErrInvalid, "succession.error.invalid", http.StatusBadRequest},
	{authority.ErrBusy, "succession.error.busy", http.StatusConflict},
	{authority.ErrState, "succession.error.state", http.StatusConflict},
	{authority.ErrNotApproved, "succession.error.state", http.StatusConflict},
	{ceremony.ErrRecord, "succession.error.made", http.StatusUnprocessableEntity},
	{authority.ErrOffline, "succession.error.offline", http.StatusConflict},
	{authority.ErrNotFound, "succession.error.unknown", http.StatusNotFound},
	{route.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{route.ErrInvalid, "route.error.invalid", http.StatusBadRequest},
	{route.ErrExists, "desk.error.repeated", http.StatusConflict},
	{route.ErrState, "route.error.state", http.StatusConflict},
	{route.ErrNotApproved, "route.error.state", http.StatusConflict},
	{route.ErrNotFound, "route.error.unknown", http.StatusNotFound},
	{anchor.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{anchor.ErrCertificate, "anchor.error.certificate", http.StatusUnprocessableEntity},
	{anchor.ErrInvalid, "anchor.error.invalid", http.StatusBadRequest},
	{anchor.ErrExists, "desk.error.repeated", http.StatusConflict},
	{anchor.ErrState, "anchor.error.state", http.StatusConflict},
	{anchor.ErrNotApproved, "anchor.error.state", http.StatusConflict},
	{anchor.ErrNotFound, "anchor.error.unknown", http.StatusNotFound},
	{closing.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{closing.ErrSoon, "closing.error.soon", http.StatusUnprocessableEntity},
	{closing.ErrInvalid, "closing.error.invalid", http.StatusBadRequest},
	{closing.ErrOpen, "closing.error.waits", http.StatusConflict},
	{closing.ErrState, "closing.error.state", http.StatusConflict},
	{closing.ErrNotApproved, "closing.error.state", http.StatusConflict},
	{closing.ErrNotFound, "closing.error.state", http.StatusNotFound},
	{retention.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{retention.ErrEarly, "retention.error.early", http.StatusConflict},
	{retention.ErrHeld, "retention.error.held", http.StatusConflict},
	{retention.ErrOpen, "closing.error.waits", http.StatusConflict},
	{retention.ErrState, "retention.error.state", http.StatusConflict},
	{retention.ErrNotApproved, "retention.error.state", http.StatusConflict},
	{retention.ErrInvalid, "retention.error.invalid", http.StatusBadRequest},
	{retention.ErrNotFound, "retention.error.unknown", http.StatusNotFound},
	{ca.ErrClosing, "problem.enrol.closing", http.StatusConflict},
	{history.ErrQuery, "history.error.query", http.StatusBadRequest},
	{notify.ErrInvalid, "notify.error.invalid", http.StatusBadRequest},
	{notify.ErrState, "notify.error.state", http.StatusConflict},
	{notify.ErrNotFound, "notify.error.unknown", http.StatusNotFound},
	{notify.ErrTooMany, "notify.error.many", http.StatusConflict},
	{peer.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{peer.ErrAuthority, "peer.error.authority", http.StatusUnprocessableEntity},
	{peer.ErrTaken, "peer.error.taken", http.StatusConflict},
	{peer.ErrInvalid, "peer.error.invalid", http.StatusBadRequest},
	{peer.ErrExists, "peer.error.exists", http.StatusConflict},
	{peer.ErrState, "peer.error.state", http.StatusConflict},
	{peer.ErrNotApproved, "peer.error.state", http.StatusConflict},
	{peer.ErrList, "peer.error.list", http.StatusUnprocessableEntity},
	{peer.ErrOld, "peer.error.old", http.StatusConflict},
	{peer.ErrWithdrawn, "peer.error.state", http.StatusConflict},
	{peer.ErrNotFound, "peer.error.unknown", http.StatusNotFound},
	{ra.ErrApplicant, "console.forbidden", http.StatusForbidden},
	{ra.ErrOfficer, "console.forbidden", http.StatusForbidden},
	{ra.ErrEvidence, "ra.error.evidence", http.StatusBadRequest},
	{ra.ErrOpen, "desk.error.repeated", http.StatusConflict},
	{ra.ErrEnded, "ra.error.ended", http.StatusConflict},
	{ra.ErrImport, "ra.error.import", http.StatusUnprocessableEntity},
	{ca.ErrHost, "ra.error.host", http.StatusUnprocessableEntity},
	{grading.ErrRole, "console.forbidden", http.StatusForbidden},
	{grading.ErrInvalid, "clearance.error.invalid", http.StatusBadRequest},
	{grading.ErrOrder, "clearance.error.invalid", http.StatusBadRequest},
	{grading.ErrNotFound, "clearance.none", http.StatusNotFound},
	{grading.ErrNotCleared, "ra.error.not_cleared", http.StatusConflict},
	{grading.ErrNotOperating, "ra.error.not_operating", http.StatusConflict},
	{domain.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{domain.ErrExists, "problem.domain.waits", http.StatusConflict},
	{domain.ErrState, "problem.domain.state", http.StatusConflict},
	{domain.ErrNotApproved, "problem.domain.state", http.StatusConflict},
	{domain.ErrReserved, "problem.domain.reserved", http.StatusUnprocessableEntity},
	{domain.ErrTaken, "problem.domain.taken", http.StatusConflict},
	{domain.ErrInvalid, "problem.domain.invalid", http.StatusUnprocessableEntity},
	{sandbox.ErrSize, "problem.domain.size", http.StatusUnprocessableEntity},
	{sandbox.ErrTime, "problem.domain.limits", http.StatusUnprocessableEntity},
	{sandbox.ErrMemory, "problem.domain.limits", http.StatusUnprocessableEntity},
	{sandbox.ErrPlatform, "problem.domain.platform", http.StatusServiceUnavailable},
	{domain.ErrNotFound, "problem.domain.unknown", http.StatusNotFound},
	{grant.ErrAdministrator, "grant.error.administrator", http.StatusConflict},
	{grant.ErrPost, "grant.error.post", http.StatusConflict},
	{grant.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{grant.ErrState, "grant.error.state", http.StatusConflict},
	{grant.ErrNotSigned, "grant.error.unsigned", http.StatusConflict},
	{grant.ErrInvalid, "grant.error.invalid", http.StatusBadRequest},
	{grant.ErrNotFound, "grant.error.unknown", http.StatusNotFound},
	{reclass.ErrForbidden, "console.forbidden", http.StatusForbidden},
	{reclass.ErrGround, "reclass.error.ground", http.StatusBadRequest},
	{reclass.ErrItems, "reclass.error.items", http.StatusConflict},
	{reclass.ErrKept, "reclass.error.kept", http.StatusConflict},
	{reclass.ErrState, "reclass.error.state", http.StatusConflict},
	{reclass.ErrNotSigned, "reclass.error.unsigned", http.StatusConflict},
	{reclass.ErrInvalid, "reclass.error.invalid", http.StatusBadRequest},
	{reclass.ErrNotFound, "reclass.error.unknown", http.StatusNotFound},
	{sharing.ErrNotFound, "desk.consent.unknown", http.StatusNotFound},
	{sharing.ErrInvalid, "desk.consent.invalid", http.StatusBadRequest},
	{sharing.ErrConsent, "problem.citation.consent", http.StatusConflict},
	{ca.ErrNotApproved, "desk.error.uncertified", http.StatusConflict},
	{identity.ErrIncompatible, "desk.error.incompatible", http.StatusConflict},
	{identity.ErrInvalid, "desk.error.form", http.StatusBadRequest},
	{identity.ErrNotFound, "desk.error.person", http.StatusNotFound},
}

// Reason is the key of the text for people about an error of the house.
func Reason(err error) string {
	key, _ := refusal(err)
	return key
}

func refusal(err error) (key string, code int) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return "console.verify.no_file", http.StatusRequestEntityTooLarge
	}
	var no *life.ImportError
	if errors.As(err, &no) {
		return "desk.import.error." + no.Code, http.StatusUnprocessableEntity
	}
	var field *archive.FieldError
	if errors.As(err, &field) {
		return "desk.archive.error." + field.Field, http.StatusUnprocessableEntity
	}
	var gate *sandbox.GateError
	var failed *domain.FailedError
	if errors.As(err, &gate) || errors.As(err, &failed) {
		return "problem.domain.refused", http.StatusUnprocessableEntity
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.key, r.code
		}
	}
	return "problem.internal", http.StatusInternalServerError
}
