package authzen

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
)

// OwnAgency lets a system ask for itself and for the systems, persons and the
// agency that it belongs to. An unknown subject is nobody's: the answer is the
// same as for another agency's, so that asking reveals no register.
type OwnAgency struct{ People identity.Reader }

var _ MayAsk = OwnAgency{}

// MayAsk returns an error only for a failure of the store.
func (o OwnAgency) MayAsk(ctx context.Context, caller, subjectType, subjectID string) (bool, error) {
	if subjectType == authz.SubjectSystem && subjectID == caller {
		return true, nil // who authenticated is registered
	}
	sys, err := o.People.System(ctx, caller)
	if err != nil {
		return false, unlessUnknown(err)
	}
	switch subjectType {
	case authz.SubjectSystem:
		s, err := o.People.System(ctx, subjectID)
		return err == nil && s.Agency == sys.Agency, unlessUnknown(err)
	case authz.SubjectPerson:
		p, err := o.People.Person(ctx, subjectID)
		return err == nil && p.Agency == sys.Agency, unlessUnknown(err)
	case authz.SubjectAgency:
		return identity.USCC(subjectID) == sys.Agency, nil
	}
	return false, nil
}

func unlessUnknown(err error) error {
	if err == nil || errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("reading the register: %w", err)
}
