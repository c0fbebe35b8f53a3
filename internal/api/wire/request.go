package wire

import "time"

// PathRequests is where a system asks for its next certificates with the
// certificate that it has, and sees what became of it. The first ones are asked
// for by the agency's administrator, in the console.
const PathRequests = "/api/v1/certificate-requests"

// RequestForm is what a system asks for: always for itself, under the registered
// name of its agency.
type RequestForm struct {
	CommonName string   `json:"common_name" minLength:"1" maxLength:"256" doc:"CN of the certificates, 64 characters at most"`
	Hosts      []string `json:"hosts" minItems:"1" maxItems:"100" doc:"out of those registered for the system"`
	Purpose    string   `json:"purpose,omitempty" enum:"production,test" doc:"production when left out"`
}

// CertificateRequest is a request as it stands.
type CertificateRequest struct {
	ID           string    `json:"id"`
	System       string    `json:"system"`
	CommonName   string    `json:"common_name"`
	Organization string    `json:"organization"`
	Hosts        []string  `json:"hosts"`
	Purpose      string    `json:"purpose" enum:"production,test"`
	State        string    `json:"state" enum:"submitted,reviewed,approved,issued,refused,withdrawn"`
	Reason       string    `json:"reason,omitempty" doc:"of a refusal or a withdrawal"`
	Mine         bool      `json:"mine" doc:"true: the calling system asked; it may withdraw, and draw the token"`
	AskedAt      time.Time `json:"asked_at"`
	TokenUntil   time.Time `json:"token_until,omitzero" doc:"of an approved request: until when its enrolment token can be drawn and spent"`
}

// RequestReason is why a request is withdrawn.
type RequestReason struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"500 characters at most"`
}

// EnrolmentToken is shown once; another one ends it.
type EnrolmentToken struct {
	Request string    `json:"request"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}
