import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on stderr; every line has an `event`. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: undefined,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Nest's own messages: its progress at start is of no interest, its troubles are. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}
  log(message: unknown, context?: string): void {
    this.logger.trace({ event: 'nest', context, message: String(message) });
  }
  warn(message: unknown, context?: string): void {
    this.logger.warn({ event: 'nest', context, message: String(message) });
  }
  error(message: unknown, stack?: string, context?: string): void {
    this.logger.error({ event: 'nest', context, stack, message: String(message) });
  }
  fatal(message: unknown, context?: string): void {
    this.logger.fatal({ event: 'nest', context, message: String(message) });
  }
}
