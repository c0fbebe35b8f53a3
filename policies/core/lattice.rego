# 不得降低安全等级：信息（2011 年规则第三十条）和系统（2014 年规则第三十条）。
# The same law as the sealed Go guard, in readable form; a test holds the two
# together over the whole of a bounded world.
package yinxin.core

# METADATA
# title: 使用方不得擅自降低该信息的安全等级
# custom: {clause: X11-30, code: E10_label_lowered}
deny contains {"code": "E10_label_lowered", "detail": src.id} if {
	input.result.stated == true
	some src in input.sources
	not dominates(input.result, src)
	handles_information
}

# METADATA
# title: 变更标识须写明新标识
# custom: {clause: X11-30, code: E10_label_lowered}
deny contains {"code": "E10_label_lowered", "detail": ""} if {
	input.action == "relabel"
	input.result.stated == false
}

# METADATA
# title: 使用系统的等级须满足信息的要求
# custom: {clause: X14-30, code: E04_system_mlps}
deny contains {"code": "E04_system_mlps", "detail": input.subject.system} if {
	input.subject.type == "system"
	some src in input.sources
	not bears(input.subject, src)
	uses_content
}

# METADATA
# title: 接收系统的等级须满足信息的要求
# custom: {clause: X11-30, code: E12_target_system}
deny contains {"code": "E12_target_system", "detail": input.target.id} if {
	input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store", "carry"}
	input.target.id != ""
	some wanted in living
	not bears(input.target, wanted)
}

# METADATA
# title: 须写明接收系统
# custom: {clause: X11-30, code: E12_target_system}
deny contains {"code": "E12_target_system", "detail": ""} if {
	input.target.id == ""
	input.action in {"copy", "derive", "merge", "forward", "store"}
}

# METADATA
# title: 传输方系统的等级须满足信息的要求
# custom: {clause: X14-30, code: E13_carrier}
deny contains {"code": "E13_carrier", "detail": hop.id} if {
	some hop in input.carriers
	some wanted in living
	not bears(hop, wanted)
	handles_information
}

# METADATA
# title: 承担传输的系统自身等级须满足信息的要求
# custom: {clause: X14-30, code: E13_carrier}
deny contains {"code": "E13_carrier", "detail": input.subject.system} if {
	input.action == "carry"
	some src in input.sources
	not bears(input.subject, src)
}

# METADATA
# title: 系统等级不得降到所存信息的要求以下
# custom: {clause: X14-30, code: E14_regrade_below_holdings}
deny contains {"code": "E14_regrade_below_holdings", "detail": held.id} if {
	input.action == "regrade"
	some held in input.holdings
	not bears(input.new_grade, held)
}

# METADATA
# title: 变更等级须写明新等级
# custom: {clause: X14-30, code: E14_regrade_below_holdings}
deny contains {"code": "E14_regrade_below_holdings", "detail": ""} if {
	input.action == "regrade"
	not bears(input.new_grade, {"s": 1, "a": 1})
}

# dominates: 每一项都不低，且不丢失任何限制性标签
dominates(high, low) if {
	high.level >= low.level
	high.s >= low.s
	high.a >= low.a
	low.tags - high.tags == set()
}

# bears: 两项都够，才是够
bears(place, wanted) if {
	place.s >= wanted.s
	place.a >= wanted.a
}

# living: 结果所在之处的要求；使用方自愿调高的标识也算在内
living := input.sources if input.result.stated == false

living := array.concat(input.sources, [input.result]) if {
	input.result.stated == true
	input.sources != []
}
