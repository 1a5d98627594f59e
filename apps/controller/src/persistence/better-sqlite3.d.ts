// The package ships no types; this is the part that is used here.
declare module 'better-sqlite3' {
  export default class Sqlite {
    pragma(text: string): unknown;
  }
}
