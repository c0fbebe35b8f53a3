package verify

import (
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Ids of the checks, stable, in the order in which they run.
const (
	CheckContainer  = "zip.container"
	CheckTree       = "ofd.structure"
	CheckList       = "sig.list"
	CheckEntries    = "package.entries" // the signed list of all files
	CheckPDF        = "pdf.structure"
	CheckRange      = "pdf.byterange"
	CheckFormat     = "format.unsupported" // stands only where the form is not judged here
	CheckSES        = "ses.structure"
	CheckCMS        = "cms.structure" // stands instead of ses.structure for GB/T 35275
	CheckSealSig    = "seal.signature"
	CheckMaker      = "seal.maker"
	CheckMakerChain = "seal.maker.chain"
	CheckSealPeriod = "seal.period"
	CheckSealToken  = "seal.timestamp" // a time-stamp on the seal itself
	CheckValue      = "sig.value"
	CheckCertForm   = "sig.cert.structure"
	CheckChain      = "sig.cert.chain"
	CheckUsage      = "sig.cert.usage"
	CheckCertPeriod = "sig.cert.period"
	CheckTime       = "sig.time"
	CheckDataHash   = "sig.datahash"
	CheckReferences = "sig.references"
	CheckCertList   = "seal.certlist"
	CheckSealFile   = "seal.esl.equal"
	CheckToken      = "timestamp.token"
	CheckRevocation = "revocation.data"
	CheckCoverage   = "sig.coverage"
	CheckStamp      = "stamp.page"
	CheckBase       = "sig.base"
	CheckSecond     = "second.opinion" // stands only when one was asked for
	CheckSelfTest   = "sig.selftest"   // stands only when it was asked for
	CheckCitations  = "doc.citations"  // stands only where the document quotes something
)

// Reasons of results that are no plain pass. The faults of the container
// (ofd.Fault…) and of the tree (ofd.Problem…) are reasons too.
const (
	ReasonPDFBroken    = "pdf.broken"
	ReasonPDFFaults    = "pdf.ambiguous"
	ReasonPDFEncrypted = "pdf.encrypted"
	ReasonPDFUnread    = "pdf.unsupported"
	ReasonCMS          = "cms.malformed"
	ReasonContentType  = "cms.type" // signs a structure of its own, not a file
	ReasonChangedAfter = "coverage.changed_after"
	ReasonRevision     = "coverage.revision"
	ReasonTail         = "coverage.tail"
	ReasonDigestDiffer = "digest.mismatch"
	ReasonRaw          = "format.raw" // SEQUENCE{r,s} without a certificate
	ReasonType         = "format.type"
	ReasonByValue      = "digest.by_value" // nothing but the signature value binds Signature.xml
	ReasonNoCert       = "cert.none"
	ReasonDisagree     = "second.disagrees"
	ReasonNoOpinion    = "second.silent"
	ReasonAlgorithm    = "algorithm.unsupported"
	ReasonDigest       = "digest.unsupported"
	ReasonNotJudged    = "not.judged" // needs a part that another check refused
	ReasonValueMissing = "value.missing"
	ReasonRepeated     = "value.repeated" // the signed value of an earlier record once more
	ReasonSigXML       = "signature.xml"
	ReasonMalformed    = "ses.malformed"
	ReasonSignature    = "signature.mismatch"
	ReasonCertBad      = "cert.malformed"
	ReasonCertUsage    = "cert.usage"
	ReasonCertIsCA     = "cert.ca"
	ReasonNoAnchor     = "trust.none"
	ReasonUntrusted    = "trust.chain"
	ReasonDomain       = "trust.domain" // a peer domain's, which does not admit it
	ReasonPeriod       = "time.period"
	ReasonNoTime       = "time.missing"
	ReasonFuture       = "time.future"
	ReasonSigXMLHash   = "signature.xml.changed"
	ReasonFileChanged  = "file.changed"
	ReasonFileMissing  = "file.missing"
	ReasonFileDamaged  = "file.damaged"
	ReasonNoReferences = "references.empty"
	ReasonNotListed    = "cert.not_listed"
	ReasonSealDiffers  = "seal.differs"
	ReasonNoSealFile   = "seal.no_file"
	ReasonNoToken      = "timestamp.none"
	ReasonTokenBad     = "timestamp.unreadable"
	ReasonTokenUnknown = "timestamp.not_judged"
	ReasonTokenImprint = "timestamp.imprint"
	ReasonTokenValue   = "timestamp.signature"
	ReasonTokenUsage   = "timestamp.usage"
	ReasonTokenCert    = "timestamp.no_certificate"
	ReasonTokenEarly   = "timestamp.early"
	ReasonTokenRevoked = "timestamp.revoked"
	ReasonNoRevocation = "revocation.none"
	ReasonRevoked      = "revocation.revoked"
	ReasonRevokedLater = "revocation.later"
	ReasonUncovered    = "coverage.uncovered"
	ReasonStampPage    = "stamp.no_page"
	ReasonStampOff     = "stamp.off_page"
	ReasonStampTwice   = "stamp.two_pages" // two pages have the id that the stamp names
	ReasonNoStamp      = "stamp.none"
	ReasonNoBase       = "base.none"
	ReasonBaseMissing  = "base.missing"
	ReasonOrphan       = "list.orphan"
	ReasonNoEntries    = "entries.none"
	ReasonEntriesValue = "entries.value"    // no signed value
	ReasonSmuggled     = "entries.smuggled" // a file that the list does not name
	ReasonEntryMissing = "entries.missing"
	ReasonEntriesLater = "entries.sealed_later" // what is not named are signatures
	ReasonSelfTest     = "selftest.accepted"
	ReasonLocked       = "later.forbidden" // signed again behind a certification that permits nothing

	ReasonCitationForm    = "citation.malformed"
	ReasonCitationOpen    = "citation.unprotected" // no seal answers for it
	ReasonCitationUnasked = "citation.unasked"     // nobody could be asked for the consent

	// What a register says of a consent (Consents).
	ConsentNone      = "consent.none"
	ConsentRefused   = "consent.refused"
	ConsentWithdrawn = "consent.withdrawn"
	ConsentPeriod    = "consent.period"
	ConsentResource  = "consent.resource"
	ConsentProvider  = "consent.provider"
	ConsentConsumer  = "consent.consumer"
	ConsentDocument  = "consent.document"
	ConsentUnsigned  = "consent.signature"
)

// Warnings of this room. Those of the container (ofd.Note…), ofd.ProblemMissing
// and "ses." + the codes of signer/seal come beside them.
const (
	WarnOrphan       = "signature.orphan"         // what a stripped signature leaves behind
	WarnUnreferenced = "file.unreferenced"        // extra file that nothing reaches or covers
	WarnNoRevocation = "revocation.unknown"       // no revocation data was at hand
	WarnClaimedTime  = "time.claimed"             // no trusted time: the signer's own clock
	WarnKeyCertSign  = "cert.keycertsign"         // a leaf that may sign certificates
	WarnProperty     = "property.mismatch"        // propertyInfo names another file
	WarnEarlySeal    = "seal.before_maker"        // seal valid before its maker's certificate was
	WarnSlices       = "stamp.slices"             // ride seal slices do not add up
	WarnNames        = "pdf.names"                // Filter and SubFilter are not those of the value
	WarnShadow       = "pdf.shadowed"             // a second body of an object that no reader should show
	WarnLater        = "pdf.later"                // a later revision signed again and did nothing else
	WarnEvidence     = "pdf.evidence"             // certificates and revocation data were added later, nothing else
	WarnTimeXML      = "time.signature_xml"       // the claimed time stands only in Signature.xml
	WarnType         = "type.mismatch"            // a seal under Type="Sign"
	WarnStampSize    = "stamp.size"               // a stamp drawn larger or smaller than its seal
	WarnStampOver    = "stamp.over"               // a stamp over one of an earlier signature
	WarnConsent      = "citation.consent_unknown" // nobody was asked whether the provider consented
)

// Checks lists every check id in order of running.
func Checks() []string {
	return []string{
		CheckContainer, CheckTree, CheckList, CheckEntries, CheckPDF, CheckRange, CheckFormat, CheckSES, CheckCMS, CheckSealSig, CheckMaker, CheckMakerChain,
		CheckSealPeriod, CheckSealToken, CheckValue, CheckCertForm, CheckChain, CheckUsage, CheckCertPeriod, CheckTime,
		CheckDataHash, CheckReferences, CheckCertList, CheckSealFile, CheckToken, CheckRevocation,
		CheckCoverage, CheckStamp, CheckBase, CheckSecond, CheckSelfTest, CheckCitations,
	}
}

// Reasons lists every reason.
func Reasons() []string {
	return []string{
		ReasonPDFBroken, ReasonPDFFaults, ReasonPDFEncrypted, ReasonPDFUnread, ReasonCMS, ReasonContentType,
		ReasonChangedAfter, ReasonRevision, ReasonTail, ReasonDigestDiffer, ReasonRaw, ReasonType, ReasonByValue, ReasonNoCert, ReasonDisagree, ReasonNoOpinion, ReasonAlgorithm, ReasonDigest, ReasonNotJudged,
		ReasonValueMissing, ReasonRepeated, ReasonSigXML, ReasonMalformed, ReasonSignature, ReasonCertBad, ReasonCertUsage,
		ReasonCertIsCA, ReasonNoAnchor, ReasonUntrusted, ReasonDomain, ReasonPeriod, ReasonNoTime, ReasonFuture,
		ReasonSigXMLHash, ReasonFileChanged, ReasonFileMissing, ReasonFileDamaged, ReasonNoReferences,
		ReasonNotListed, ReasonSealDiffers, ReasonNoSealFile, ReasonNoToken, ReasonTokenBad,
		ReasonTokenUnknown, ReasonTokenImprint, ReasonTokenValue, ReasonTokenUsage, ReasonTokenCert,
		ReasonTokenEarly, ReasonTokenRevoked, ReasonNoRevocation, ReasonRevoked, ReasonRevokedLater, ReasonUncovered,
		ReasonStampPage, ReasonStampOff, ReasonStampTwice, ReasonNoStamp, ReasonNoBase, ReasonBaseMissing, ReasonOrphan, ReasonNoEntries, ReasonEntriesValue, ReasonSmuggled,
		ReasonEntryMissing, ReasonEntriesLater, ReasonSelfTest, ReasonLocked,
		ReasonCitationForm, ReasonCitationOpen, ReasonCitationUnasked,
		ConsentNone, ConsentRefused, ConsentWithdrawn, ConsentPeriod, ConsentResource, ConsentProvider, ConsentConsumer, ConsentDocument, ConsentUnsigned,
		ofd.FaultDuplicate, ofd.FaultTraversal, ofd.FaultAbsolute, ofd.FaultEncrypted, ofd.FaultSymlink,
		ofd.FaultOverlap, ofd.FaultHidden, ofd.FaultHeader, ofd.FaultMethod, ofd.FaultDirectory,
		ofd.ProblemXML, ofd.ProblemEscape, ofd.ProblemList, ofd.ProblemLimit, ofd.ProblemAmbiguous,
		pdf.RangeMalformed, pdf.RangeContents, pdf.RangePadding, pdf.RangeGap,
	}
}

// Warnings lists every warning code.
func Warnings() []string {
	out := []string{
		WarnOrphan, WarnUnreferenced, WarnNoRevocation, WarnClaimedTime, WarnKeyCertSign, WarnProperty,
		WarnEarlySeal, WarnSlices, WarnNames, WarnShadow, WarnLater, WarnEvidence, WarnTimeXML, WarnType, WarnConsent, WarnStampSize, WarnStampOver, ofd.ProblemMissing, ofd.NotePrefix, ofd.NoteTrailing, ofd.NoteBackslash,
		ofd.NoteEncoding, ofd.NoteCase,
	}
	for _, w := range []string{
		seal.WarnNotDER, seal.WarnUnusedBits, seal.WarnRawSignature, seal.WarnVersion, seal.WarnTime,
		seal.WarnTimeToken, seal.WarnText, seal.WarnCertificate, seal.WarnExtra,
	} {
		out = append(out, "ses."+w)
	}
	return out
}
