// The part of itables' bundle that the page uses.
declare module "itables" {
  interface Table {
    on(event: string, listener: () => void): void;
    order(): [number, string][];
    search(): string;
    column(number: number): Column;
  }
  interface Column {
    search: { fixed(name: string, condition: ((cell: string) => boolean) | null): { draw(): void } };
  }
  export class ITable {
    constructor(table: HTMLTableElement, options: Record<string, unknown>);
    dt: Table;
  }
}
