/** Injection tokens of what has no class of its own. */
export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
export const SOURCE = Symbol('Source');
export const COMPILER = Symbol('Compiler');
export const SWITCHES = Symbol('SwitchesPort');
export const OVSDB = Symbol('OvsdbPort');
