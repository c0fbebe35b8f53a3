package wire

// Paths of the decision point: the OpenID AuthZEN Authorization API 1.0, one
// path of OPA's Data API, and one prefix for enforcement points that know paths only. Clients of a house, and the socket of its sidecar,
// know them too.
const (
	PathEvaluation  = "/access/v1/evaluation"
	PathEvaluations = "/access/v1/evaluations"
	PathSearch      = "/access/v1/search/" // and what is searched for: subject, resource, action
	PathAuthZEN     = "/.well-known/authzen-configuration"
	PathOPA         = "/v1/data/yinxin/decision"
	PathData        = "/v1/data/"    // what else a client of OPA may ask for
	PathEnvoy       = "/envoy/authz" // and the path of the request: external authorization over HTTP
)
