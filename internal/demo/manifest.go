package demo

// Manifest is demo.json: all that a client needs to use what is running.
// Paths are relative to the folder that holds demo.json; times are RFC 3339;
// digests are SM3 in lower-case hex. Schema 1; fields may be added, none is
// renamed. docs/en/demo.md describes it for people.
type Manifest struct {
	Schema  int    `json:"schema"`
	Notice  string `json:"notice"` // demo keys, not for production
	URL     string `json:"url"`    // https://host:port while `yinxin demo` or `yinxin serve` runs
	Console string `json:"console"`
	AuthZEN string `json:"authzen"` // access evaluation endpoint
	OpenAPI string `json:"openapi"`
	StepCA  string `json:"step_ca"` // base of the step-ca API
	Status  string `json:"status"`  // plain HTTP: /ocsp, /pki/crl/, /pki/issuers/

	Anchors    Anchors             `json:"anchors"`
	Agencies   map[string]Agency   `json:"agencies"`  // by short name: provider, a, b, office
	Systems    map[string]System   `json:"systems"`   // by system id
	Resources  map[string]Resource `json:"resources"` // by resource id
	Agreements map[string]Term     `json:"agreements"`
	Seals      map[string]Seal     `json:"seals"`
	Desk       map[string]Clerk    `json:"desk"`       // by post: who walks the desk of the console
	Enrolments []Enrolment         `json:"enrolments"` // unspent tokens
	ACME       ACME                `json:"acme"`
	Transfer   Transfer            `json:"transfer"`
	Samples    Samples             `json:"samples"`
	Ledger     Ledger              `json:"ledger"`
	Server     Server              `json:"server"`
}

// Anchors are files with the house's certificates, PEM.
type Anchors struct {
	SM2Root       string `json:"sm2_root"`
	SM2Issuing    string `json:"sm2_issuing"`
	ECDSARoot     string `json:"ecdsa_root"`
	ECDSAIssuing  string `json:"ecdsa_issuing"`
	TrustDir      string `json:"trust_dir"` // for `yinxin verify --trust`
	SM2RootSM3    string `json:"sm2_root_sm3"`
	ECDSARootSM3  string `json:"ecdsa_root_sm3"`
	ECDSARootS256 string `json:"ecdsa_root_sha256"` // what `step ca bootstrap` asks for
}

// Agency is a sample unit.
type Agency struct {
	USCC string `json:"uscc"`
	Name string `json:"name"`
}

// System is an enrolled sample system; its files are its own, mode 0600 for keys.
type System struct {
	Agency   string   `json:"agency_uscc"`
	Name     string   `json:"name"`
	Grade    string   `json:"grade"` // "S3A3"
	Hosts    []string `json:"hosts"`
	Dir      string   `json:"dir"`
	TLSCert  string   `json:"tls_certificate"`
	TLSKey   string   `json:"tls_key"`
	SignCert string   `json:"sm2_sign_certificate"`
	SignKey  string   `json:"sm2_sign_key"`
	EncCert  string   `json:"sm2_encryption_certificate"`
	EncKey   string   `json:"sm2_encryption_key"`
}

// Resource is a sample catalogue entry.
type Resource struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider_uscc"`
	Label    string   `json:"label"`
	Items    []string `json:"items"`
}

// Term is a sample agreement.
type Term struct {
	Resource  string   `json:"resource"`
	Consumer  string   `json:"consumer_uscc"`
	Purposes  []string `json:"purposes"`
	Fields    []string `json:"fields"`
	NotBefore string   `json:"not_before"`
	NotAfter  string   `json:"not_after"`
}

// Seal is a sample seal.
type Seal struct {
	Unit    string `json:"unit_uscc"`
	Name    string `json:"name"`
	File    string `json:"file"`    // SESeal, DER
	Picture string `json:"picture"` // PNG, 样章
}

// Clerk is a sample person of the desk. The link lets in once; number and PIN at
// any time. Only a sample house tells a PIN.
type Clerk struct {
	Name    string `json:"name"`
	Agency  string `json:"agency_uscc"`
	Number  string `json:"number"`
	PIN     string `json:"pin"`
	Console string `json:"console"`
}

// Enrolment is an approved request whose token nobody spent yet.
type Enrolment struct {
	System  string   `json:"system"`
	Hosts   []string `json:"hosts"`
	Token   string   `json:"token"`
	Expires string   `json:"expires"`
	URL     string   `json:"url"`
}

// ACME is where ACME clients (RFC 8555) go, and the external account key of each
// system. Challenges are looked for on 127.0.0.1, ports 80 and 443.
type ACME struct {
	Directory string                 `json:"directory"`
	Accounts  map[string]ACMEAccount `json:"accounts"` // by system id
}

// ACMEAccount is an unbound external account key (EAB).
type ACMEAccount struct {
	KeyID string   `json:"kid"`
	HMAC  string   `json:"hmac"` // base64url
	Hosts []string `json:"hosts"`
}

// Transfer is the one that the walk made.
type Transfer struct {
	ID       string `json:"id"`
	From     string `json:"from_system"`
	To       string `json:"to_system"`
	Holding  string `json:"holding"`
	Document string `json:"document_sm3"`
}

// Samples are files made by the walk.
type Samples struct {
	Plain          string `json:"plain"`
	Sealed         string `json:"sealed"`
	Received       string `json:"received"` // as the receiver decrypted it
	Tampered       string `json:"tampered"`
	TamperedFile   string `json:"tampered_file"` // entry of the package whose byte was flipped
	LedgerTampered string `json:"ledger_tampered"`
	FirstBadSeq    uint64 `json:"first_bad_seq"`
}

// Ledger is the export and what verifies it.
type Ledger struct {
	Export string `json:"export"`
	Key    string `json:"key"` // certificate of the checkpoint signer, PEM
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
}

// Server is how to start the same house again.
type Server struct {
	Dir     string `json:"dir"`
	Listen  string `json:"listen"`
	Command string `json:"command"`
}
