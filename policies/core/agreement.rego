# 共享协议：三方签章、在有效期内、用途和信息项在约定之内。
package yinxin.core

# 需要协议的使用：依申请共享、有条件共享（以及类型不明的）
needs_agreement contains [i, agency] if {
	some [i, agency] in uses
	not input.sources[i].share in {"proactive", "unconditional"}
}

# party: 协议的使用方就是本次的使用单位，或者是经提供方同意转交的保管单位
party(a, _, agency) if a.consumer == agency

party(a, src, agency) if {
	src.agreement == a.id
	src.holder == agency
	src.regime == "xicheng-2014"
	agency in a.onward
}

between(a, src, agency) if {
	a.provider == src.provider
	party(a, src, agency)
}

# in_force: [第几个来源, 使用单位, 第几个协议]
in_force contains [i, agency, k] if {
	some [i, agency] in uses
	src := input.sources[i]
	some k, a in input.agreements
	a.resource == src.resource
	a.provider == src.provider
	party(a, src, agency)
	input.now >= a.not_before
	input.now < a.not_after
	input.now < a.terminated
	count({a.provider, a.consumer, a.office} - a.seals) == 0
}

# usable: 有效，并且约定了本次的用途和信息项
usable contains [i, agency, k] if {
	some [i, agency, k] in in_force
	a := input.agreements[k]
	input.purpose in a.purposes
	count((input.fields & input.sources[i].items) - a.fields) == 0
}

# uncovered: 需要协议而没有可用协议的使用
uncovered contains [i, agency] if {
	some [i, agency] in needs_agreement
	not covered(i, agency)
}

covered(i, agency) if {
	some k, _ in input.agreements
	[i, agency, k] in usable
}

# offered: 为上述使用找到的协议，逐一说明为什么不可用
offered contains [i, agency, k] if {
	some [i, agency] in uncovered
	some k, a in input.agreements
	a.resource == input.sources[i].resource
}

# 有不被协议覆盖的使用时，才逐条说明原因（各条写作 fault）
deny contains reason if {
	count(uncovered) > 0
	some reason in fault
}

# METADATA
# title: 按与信息提供方签署的协议使用
# custom: {clause: X11-26, code: E06_agreement.none}
fault contains {"code": "E06_agreement.none", "detail": input.sources[i].resource} if {
	some [i, _] in uncovered
	count([a | some a in input.agreements; a.resource == input.sources[i].resource]) == 0
}

# METADATA
# title: 协议的当事方须是使用单位和提供方
# custom: {clause: X11-26, code: E06_agreement.party}
fault contains {"code": "E06_agreement.party", "detail": a.id} if {
	some [i, agency, k] in offered
	a := input.agreements[k]
	not between(a, input.sources[i], agency)
}

# METADATA
# title: 协议生效之前不得使用
# custom: {clause: X11-26, code: E06_agreement.not_yet}
fault contains {"code": "E06_agreement.not_yet", "detail": a.id} if {
	some [_, _, k] in offered
	a := input.agreements[k]
	input.now < a.not_before
}

# METADATA
# title: 协议到期之后不得使用
# custom: {clause: X11-26, code: E06_agreement.expired}
fault contains {"code": "E06_agreement.expired", "detail": a.id} if {
	some [_, _, k] in offered
	a := input.agreements[k]
	input.now >= a.not_after
}

# METADATA
# title: 协议终止之后不得使用
# custom: {clause: X11-26, code: E06_agreement.terminated}
fault contains {"code": "E06_agreement.terminated", "detail": a.id} if {
	some [_, _, k] in offered
	a := input.agreements[k]
	input.now >= a.terminated
}

# METADATA
# title: 三方签章齐全，协议方为有效
# custom: {clause: X14-26c, code: E06_agreement.seal_missing}
fault contains {"code": "E06_agreement.seal_missing", "detail": a.id} if {
	some [_, _, k] in offered
	a := input.agreements[k]
	count({a.provider, a.consumer, a.office} - a.seals) > 0
}

# METADATA
# title: 只能用于约定的用途
# custom: {clause: X14-23a, code: E06_agreement.purpose}
fault contains {"code": "E06_agreement.purpose", "detail": concat(" / ", [a.id, input.purpose])} if {
	some [_, _, k] in offered
	a := input.agreements[k]
	not input.purpose in a.purposes
}

# METADATA
# title: 只能使用约定的信息项
# custom: {clause: X11-26, code: E06_agreement.fields}
fault contains {"code": "E06_agreement.fields", "detail": concat(" / ", [a.id, field])} if {
	some [i, _, k] in offered
	a := input.agreements[k]
	some field in (input.fields & input.sources[i].items) - a.fields
}

# METADATA
# title: 商业秘密、个人隐私和敏感信息须有安全保密协议
# custom: {clause: X14-31, code: E15_confidentiality}
deny contains {"code": "E15_confidentiality", "detail": input.sources[i].resource} if {
	some [i, agency] in uses
	count(input.sources[i].tags & {"business_secret", "personal", "sensitive"}) > 0
	not confidential(i, agency)
}

confidential(i, agency) if {
	some k, a in input.agreements
	a.confidential
	[i, agency, k] in in_force
}

# METADATA
# title: 带有瑕疵告知的信息，签收告知后方可使用
# custom: {clause: X14-22, code: E18_defect_notice}
deny contains {"code": "E18_defect_notice", "detail": input.sources[i].resource} if {
	some [i, agency] in uses
	input.sources[i].defect != ""
	not acknowledged(i, agency)
}

acknowledged(i, agency) if {
	some k, a in input.agreements
	a.defect_ack == input.sources[i].defect
	[i, agency, k] in in_force
}
