"""The 36 elements of a matter (要素), after GB/T 39554.2: what each is called, and which follow from the other files."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Element:
    """`follows`: told by the form, the sources, the flow or the certificate, and not written in matter.yaml."""

    key: str
    zh: str
    en: str
    follows: bool = False


ELEMENTS = (
    Element("code", "事项编码", "Code"),
    Element("base_code", "基本编码", "Basic code"),
    Element("name", "事项名称", "Name"),
    Element("type", "事项类型", "Type"),
    Element("tier", "行使层级", "Tier of government"),
    Element("agency", "实施主体", "Agency"),
    Element("agency_uscc", "实施主体编码", "Agency's credit code"),
    Element("agency_nature", "实施主体性质", "Agency's nature"),
    Element("delegate", "委托部门", "Delegate"),
    Element("co_agencies", "联办机构", "Co-operating agencies"),
    Element("legal_basis", "设定依据", "Legal basis"),
    Element("targets", "服务对象", "Who may apply"),
    Element("topics", "主题分类", "Topics"),
    Element("conditions", "受理条件", "Conditions"),
    Element("quota_limit", "数量限制", "Limit of number"),
    Element("materials", "申请材料", "Papers to hand in"),
    Element("material_sources", "材料来源", "Where the data come from", follows=True),
    Element("form", "申请表单", "Form", follows=True),
    Element("share_needs", "数据共享需求", "Data asked from agencies", follows=True),
    Element("licence_inputs", "证照调用", "Licences used"),
    Element("process", "办理流程", "Steps", follows=True),
    Element("handle_kind", "办件类型", "Kind of handling"),
    Element("legal_days", "法定办结时限", "Time limit by law"),
    Element("promise_days", "承诺办结时限", "Promised time"),
    Element("channels", "办理形式", "Ways to apply"),
    Element("online_depth", "网上办理深度", "How far online"),
    Element("visits", "到办事现场次数", "Visits"),
    Element("level", "身份核验等级", "Level of identity"),
    Element("booking", "预约办理", "Booking"),
    Element("fee", "收费情况", "Fee"),
    Element("payment", "支付方式", "Payment"),
    Element("result_name", "结果名称", "Result"),
    Element("result_licence", "结果证照", "Licence", follows=True),
    Element("delivery", "送达方式", "Delivery"),
    Element("remedies", "救济途径", "Remedies"),
    Element("consult", "咨询监督", "Questions and complaints"),
)
WRITTEN = tuple(element.key for element in ELEMENTS if not element.follows)
