"""Recovering a schema from generated classes: each form of argument, block and computed attribute once."""

from __future__ import annotations

import re

import pytest

from tests.terraform.schema_source import Source


def argument(name: str, value: str, type_: str, storage: str, *, block: bool = False) -> str:
    """Write an argument the way the generator does."""
    lines = (
        f"value: {value},",
        f"isBlock: {str(block).lower()},",
        f'type: "{type_}",',
        f'storageClassType: "{storage}",',
    )
    body = "".join(f"                {line}\n" for line in lines)
    return f"            {name}: {{\n{body}            }},\n"


PLAIN = argument("size", "cdktf.numberToHclTerraform(this._size)", "simple", "number")
KIND = argument("kind", "cdktf.stringToHclTerraform(this._kind)", "simple", "string")
NAMES = argument("names", "cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(this._names)", "set", "stringList")
LABELS = argument("labels", "cdktf.hashMapperHcl(cdktf.stringToHclTerraform)(this._labels)", "map", "stringMap")
ONE = argument("one", "lampOneToHclTerraform(this._one.internalValue)", "list", "LampOneList", block=True)
MANY = argument(
    "many",
    "cdktf.listMapperHcl(lampOneToHclTerraform, true)(this._many.internalValue)",
    "set",
    "LampOneList",
    block=True,
)
TIMES = argument("times", "lampOneToHclTerraform(this._times.internalValue)", "struct", "LampOne", block=True)

CODE = f"""
function lampOneToHclTerraform(struct) {{
    const attrs = {{
{argument("shade", "cdktf.booleanToHclTerraform(struct.shade)", "simple", "boolean")}    }};
}}
class LampOneOutputReference extends cdktf.ComplexObject {{
    // glow - computed: true, optional: false, required: false
    get glow() {{
        return this.getNumberAttribute('glow');
    }}
}}
class Lamp extends cdktf.TerraformResource {{
    constructor() {{
        // tags - computed: true, optional: false, required: false
        this._tags = new cdktf.StringMap(this, "tags");
        // bulbs - computed: true, optional: false, required: false
        this._bulbs = new LampOneList(this, "bulbs", false);
    }}
    // url - computed: true, optional: false, required: false
    get url() {{
        return this.getStringAttribute('url');
    }}
    synthesizeHclAttributes() {{
        const attrs = {{
{PLAIN}{KIND}{NAMES}{LABELS}{ONE}{MANY}{TIMES}        }};
    }}
}}
Lamp.tfResourceType = "google_lamp";
"""

TYPES = """
export interface LampConfig extends cdktf.TerraformMetaArguments {
    /**
    * Brightness.
    */
    readonly size: number;
    /**
    * What it is. Default value: "DESK" Possible values: ["DESK", "WALL"]
    */
    readonly kind?: string;
    readonly names?: string[];
    readonly labels?: { [key: string]: string };
    readonly one: LampOne;
    readonly many: LampOne[];
    readonly times?: LampOne;
}
export interface LampOne {
    readonly shade: boolean;
}
"""
OPTIONAL = {"optional": True, "computed": True}
SHADE = {"attributes": {"glow": {"type": "number", "computed": True}, "shade": {"type": "bool", "required": True}}}


def test_every_form_is_recovered() -> None:
    name, source = Source.parse(CODE, TYPES)
    assert name == "google_lamp"
    assert source.resource() == {
        "attributes": {
            "bulbs": {"type": ["list", ["object", {"glow": "number"}]], "computed": True},
            "kind": {"type": "string", **OPTIONAL, "admits": ["DESK", "WALL"], "default": "DESK"},
            "labels": {"type": ["map", "string"], **OPTIONAL},
            "names": {"type": ["set", "string"], **OPTIONAL},
            "size": {"type": "number", "required": True},
            "tags": {"type": ["map", "string"], "computed": True},
            "url": {"type": "string", "computed": True},
        },
        "block_types": {
            "many": {"nesting_mode": "set", "block": SHADE, "min_items": 1},
            "one": {"nesting_mode": "list", "block": SHADE, "min_items": 1, "max_items": 1},
            "times": {"nesting_mode": "single", "block": SHADE},
        },
    }


def test_other_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no resource type"):
        Source.parse("module.exports = {};", "")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="labels: unknown type colour"):
        Source.parse(re.sub("stringMap", "colour", CODE), TYPES)[1].resource()
