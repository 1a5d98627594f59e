export type { DesiredState, SouthboundClock, SouthboundLogger } from './desired.js';
export type { DriverOptions, NodeSwitchState } from './driver-options.js';
export type { OvsdbState } from './ovsdb-driver.js';
export { OvsdbManager } from './ovsdb-manager.js';
export { type ListenOptions, SwitchManager } from './switch-manager.js';
