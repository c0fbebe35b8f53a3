# 共享协议：三方签章、在有效期内、用途和信息项在约定之内。
# 以下 i 是第几个来源，k 是第几个协议。
package yinxin.core

# party: 协议的使用方就是本次的使用单位，或者是经提供方同意转交的保管单位
party(i, k) if input.agreements[k].consumer == input.sources[i].user

party(i, k) if {
	src := input.sources[i]
	a := input.agreements[k]
	src.agreement == a.id
	src.holder == src.user
	src.regime == "xicheng-2014"
	a.onward[src.user]
}

# in_force: 属于该资源和当事方，三方签章齐全，并且正在有效期内
in_force(i, k) if {
	src := input.sources[i]
	a := input.agreements[k]
	a.resource == src.resource
	a.begun == true
	a.expired == false
	a.terminated == false
	a.provider == src.provider
	party(i, k)
	a.sealed == {"provider": true, "consumer": true, "office": true}
}

# usable: 有效，并且约定了本次的用途和信息项
usable(i, k) if {
	in_force(i, k)
	input.agreements[k].purposes[input.purpose]
	exceeding(i, k) == set()
}

# exceeding: 所要的信息项中属于该资源、协议没有约定、也不能遮蔽后提供的
exceeding(i, k) := ((input.fields & input.sources[i].items) - input.agreements[k].fields) - input.sources[i].masked

# uncovered: 需要协议（依申请共享、有条件共享，以及类型不明的）而没有可用协议的来源
uncovered contains i if {
	some i, src in input.sources
	src.user != ""
	not src.share in {"proactive", "unconditional"}
	not covered(i)
}

covered(i) if {
	some k, _ in input.agreements
	usable(i, k)
}

# offered: 为上述来源找到的协议，逐一说明为什么不可用
offered contains [i, k] if {
	some i in uncovered
	some k, a in input.agreements
	a.resource == input.sources[i].resource
}

# 有不被协议覆盖的来源时，才逐条说明原因（各条写作 fault）
deny contains reason if {
	uncovered != set()
	some reason in fault
}

# METADATA
# title: 按与信息提供方签署的协议使用
# custom: {clause: X11-26, code: E06_agreement.none}
fault contains {"code": "E06_agreement.none", "detail": input.sources[i].resource} if {
	some i in uncovered
	count([a | some a in input.agreements; a.resource == input.sources[i].resource]) == 0
}

# METADATA
# title: 协议的当事方须是使用单位和提供方
# custom: {clause: X11-26, code: E06_agreement.party}
fault contains {"code": "E06_agreement.party", "detail": input.agreements[k].id} if {
	some [i, k] in offered
	not between(i, k)
}

between(i, k) if {
	input.agreements[k].provider == input.sources[i].provider
	party(i, k)
}

# METADATA
# title: 协议生效之前不得使用
# custom: {clause: X11-26, code: E06_agreement.not_yet}
fault contains {"code": "E06_agreement.not_yet", "detail": a.id} if {
	some [_, k] in offered
	a := input.agreements[k]
	a.begun == false
}

# METADATA
# title: 协议到期之后不得使用
# custom: {clause: X11-26, code: E06_agreement.expired}
fault contains {"code": "E06_agreement.expired", "detail": a.id} if {
	some [_, k] in offered
	a := input.agreements[k]
	a.expired == true
}

# METADATA
# title: 协议终止之后不得使用
# custom: {clause: X11-26, code: E06_agreement.terminated}
fault contains {"code": "E06_agreement.terminated", "detail": a.id} if {
	some [_, k] in offered
	a := input.agreements[k]
	a.terminated == true
}

# METADATA
# title: 三方签章齐全，协议方为有效
# custom: {clause: X14-26c, code: E06_agreement.seal_missing}
fault contains {"code": "E06_agreement.seal_missing", "detail": a.id} if {
	some [_, k] in offered
	a := input.agreements[k]
	false in {a.sealed.provider, a.sealed.consumer, a.sealed.office}
}

# METADATA
# title: 只能用于约定的用途
# custom: {clause: X14-23a, code: E06_agreement.purpose}
fault contains {"code": "E06_agreement.purpose", "detail": concat(" / ", [a.id, input.purpose])} if {
	some [_, k] in offered
	a := input.agreements[k]
	not a.purposes[input.purpose]
}

# METADATA
# title: 只能使用约定的信息项
# custom: {clause: X11-26, code: E06_agreement.fields}
fault contains {"code": "E06_agreement.fields", "detail": concat(" / ", [input.agreements[k].id, field])} if {
	some [i, k] in offered
	some field in exceeding(i, k)
}

# METADATA
# title: 商业秘密、个人隐私和敏感信息须有安全保密协议
# custom: {clause: X14-31, code: E15_confidentiality}
deny contains {"code": "E15_confidentiality", "detail": src.resource} if {
	some i, src in input.sources
	src.tags & {"business_secret", "personal", "sensitive"} != set()
	src.user != ""
	not confidential(i)
}

confidential(i) if {
	some k, a in input.agreements
	a.confidential == true
	in_force(i, k)
}

# METADATA
# title: 带有瑕疵告知的信息，签收告知后方可使用
# custom: {clause: X14-22, code: E18_defect_notice}
deny contains {"code": "E18_defect_notice", "detail": src.resource} if {
	some i, src in input.sources
	src.defect != ""
	src.user != ""
	not acknowledged(i)
}

acknowledged(i) if {
	some k, a in input.agreements
	a.defect_ack == input.sources[i].defect
	in_force(i, k)
}
