// What may stand where the caret is, for a line that begins with a slash. Pure: no page, no server.

const NOTHING = { from: 0, items: [], command: null };
const OPTION = /^(?:--|——?|－－)/;

// The suggestions for a text and a caret: where the word begins that they replace, and the command being typed.
// `sure` says that the first one is what is probably meant, so that Enter takes it.
export function suggest(commands, text, caret) {
  const typed = text.slice(0, caret);
  if (!/^[/／]/.test(typed)) return NOTHING;
  if (!/\s/.test(typed)) return { from: 0, items: commandsLike(commands, typed.slice(1)), command: null, sure: true };
  const command = commandOf(commands, typed);
  if (!command) return NOTHING;
  const last = /\S*$/.exec(typed)[0];
  return { from: caret - last.length, command, ...ofCommand(command, typed.slice(0, caret - last.length), last) };
}

export function commandOf(commands, text) {
  const name = fold(/^[/／](\S*)/.exec(text)?.[1] ?? "");
  return commands.find((each) => [each.name, ...each.aliases].some((known) => fold(known) === name)) ?? null;
}

export function unused(command, text) {
  const used = usedIn(text);
  return command.options.filter((each) => !each.words && each.name !== command.positional && !namesOf(each).some((name) => used.has(name)));
}

function ofCommand(command, before, last) {
  const previous = /(\S+)\s+$/.exec(before)?.[1] ?? "";
  const option = OPTION.test(previous) && command.options.find((each) => namesOf(each).includes(bare(previous)));
  if (option) return { items: values(option, last), sure: !option.switch };
  if (OPTION.test(last)) {
    return { items: unused(command, before).flatMap((each) => optionLike(each, bare(last))), sure: true };
  }
  const first = command.options.find((each) => each.name === command.positional);
  const words = fold(before).trim().split(/\s+/).slice(1);
  const next = words.length ? { values: command.next?.[words.join(" ")] ?? [] } : first;
  return { items: next && !next.words ? values(next, last) : [], sure: last !== "" };
}

function commandsLike(commands, typed) {
  const wanted = fold(typed);
  return commands.flatMap((each) => {
    const name = [each.name, ...each.aliases].find((known) => fold(known).startsWith(wanted));
    if (!name) return [];
    const others = name === each.name ? each.readable : [`/${each.name}`];
    const usage = [...others, each.usage].join(" ").trim();
    return [{ insert: `/${name} `, what: `/${name}`, usage, help: each.help, complete: each.complete }];
  });
}

// Under the name that is being typed, which may be another one than its own.
function optionLike(option, typed) {
  const name = namesOf(option).find((known) => known.startsWith(typed));
  if (name === undefined) return [];
  const usage = values(option, "").map((value) => value.what).slice(0, 6).join(" ");
  return [{ insert: `--${name} `, what: `--${name}`, usage, help: option.help }];
}

function namesOf(option) {
  return [option.name, ...option.aliases];
}

function values(option, typed) {
  return option.values
    .filter((value) => fold(value).startsWith(fold(typed)))
    .map((value) => ({ insert: `${value} `, what: value, usage: "", help: "" }));
}

function usedIn(text) {
  return new Set(text.split(/\s+/).filter((word) => OPTION.test(word)).map(bare));
}

function bare(word) {
  return fold(word.replace(OPTION, "")).split("=")[0];
}

function fold(word) {
  return word.normalize("NFKC").toLowerCase();
}
