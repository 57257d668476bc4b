"""kubectl's templates of paths: `{.items[*].metadata.name}`, `{range …}{end}`, filters, `custom-columns`."""
import json
import re

from cluster import Refused


def shown(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), sort_keys=True)
    return "" if value is None else str(value)


def template(text, root):
    """Fills in a template."""
    if "{" not in text:
        text = "{" + (text if text.startswith((".", "$", "@", "[")) else "." + text) + "}"
    out, _ = block(pieces(text), 0, root, root, nested=False)
    return out


def pieces(text):
    """A template as texts and what stands in braces."""
    at, result = 0, []
    while at < len(text):
        if text[at] != "{":
            end = text.find("{", at)
            end = len(text) if end < 0 else end
            result.append(("text", text[at:end]))
            at = end
            continue
        depth, quote, end = 0, "", at
        while end < len(text):
            letter = text[end]
            if quote:
                if letter == "\\":
                    end += 1
                elif letter == quote:
                    quote = ""
            elif letter in "\"'":
                quote = letter
            elif letter == "{":
                depth += 1
            elif letter == "}":
                depth -= 1
                if depth == 0:
                    break
            end += 1
        if end >= len(text):
            raise Refused("error: error parsing jsonpath: unclosed action")
        result.append(("path", text[at + 1:end].strip()))
        at = end + 1
    return result


def block(parts, at, here, root, nested):
    out = ""
    while at < len(parts):
        kind, text = parts[at]
        if kind == "text":
            out += text
        elif text == "end":
            if not nested:
                raise Refused("error: error parsing jsonpath: not in range, nothing to end")
            return out, at
        elif text.startswith("range "):
            values = evaluate(text[6:].strip(), here, root)
            end = at
            for value in values or [None]:
                inner, end = block(parts, at + 1, value, root, nested=True)
                if values:
                    out += inner
            at = end
        elif text[:1] in "\"'":
            out += bytes(text[1:-1], "utf-8").decode("unicode_escape") if text[0] == '"' else text[1:-1]
        else:
            out += " ".join(shown(value) for value in evaluate(text, here, root))
        at += 1
    if nested:
        raise Refused("error: error parsing jsonpath: unclosed range")
    return out, at


STEP = re.compile(r"""\.?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\?\(.*?\))|(\*)|(-?\d*:?-?\d*))\s*\]|\.\.|\.?\*|\.?((?:[^.\[\]\\]|\\.)+)""")


def evaluate(path, here, root):
    """The values that a path leads to; a key that is missing leads nowhere."""
    values = [here]
    if path.startswith("$"):
        values, path = [root], path[1:]
    elif path.startswith("@"):
        path = path[1:]
    if path == ".":
        return values
    at = 0
    while at < len(path):
        found = STEP.match(path, at)
        if not found or found.end() == at:
            raise Refused(f"error: error parsing jsonpath {{{path}}}, unrecognized character")
        if found.group(0) == "..":
            raise Refused("error: this stand-in has no recursive descent in jsonpath")
        values = [next_value for value in values for next_value in step(value, found, root)]
        at = found.end()
    return values


def step(value, found, root):
    single, double, test, star, index, name = found.groups()
    if star or found.group(0).lstrip(".") == "*":
        return list(value) if isinstance(value, list) else [value[key] for key in sorted(value)] if isinstance(value, dict) else []
    if test:
        items = value if isinstance(value, list) else []
        return [one for one in items if holds(test[2:-1], one, root)]
    if index:
        if not isinstance(value, list):
            return []
        if ":" in index:
            start, _, end = index.partition(":")
            return value[int(start) if start else None:int(end) if end else None]
        number = int(index)
        if not -len(value) <= number < len(value):
            raise Refused(f"error: error executing jsonpath: array index out of bounds: index {number}, length {len(value)}")
        return [value[number]]
    key = single if single is not None else double if double is not None else re.sub(r"\\(.)", r"\1", name)
    return [value[key]] if isinstance(value, dict) and value.get(key) is not None else []


def holds(test, one, root):
    found = re.match(r"\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$", test)
    if not found:
        return bool(evaluate(test.strip(), one, root))
    left, operator, right = found.groups()
    values = evaluate(left, one, root)
    if right[0] in "\"'":
        wanted = right[1:-1]
    elif right.startswith(("@", "$")):
        wanted = (evaluate(right, one, root) or [None])[0]
    else:
        wanted = json.loads(right)
    for value in values:
        if {"==": value == wanted, "!=": value != wanted}.get(operator):
            return True
        if operator in ("<", ">", "<=", ">=") and type(value) is type(wanted):
            if {"<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted}[operator]:
                return True
    return False


def columns(spec, items, headers=True):
    """`custom-columns=NAME:.path,…` as a table."""
    parts = [part.partition(":")[::2] for part in spec.split(",")]
    lines = [[name for name, _ in parts]] if headers else []
    for item in items:
        paths = [path.strip("{}") for _, path in parts]
        paths = [path if path.startswith((".", "[", "$", "@")) else "." + path for path in paths]
        lines.append([",".join(shown(value) for value in evaluate(path, item, item)) or "<none>" for path in paths])
    return table(lines)


def table(lines):
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))] if lines else []
    return "".join("   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() + "\n" for line in lines)
