/** A log for processes whose output goes to a file: warnings and errors alone. */
export const consoleLog = {
  info: (): void => undefined,
  warn: (fields: object, message: string): void => console.warn(message, JSON.stringify(fields)),
  error: (fields: object, message: string): void => console.error(message, JSON.stringify(fields)),
};
