// Commands that wait for the sequencer: each is written at once and offered when it has been checked.
//
// `reserve` takes one of the PLACES (allowed while `room`); the command follows with `write`; `commit` releases the oldest
// one that is written; from the next cycle on it is offered, when those before it are gone. A place is free again in the
// cycle after its command was taken. A reset empties the queue.
module quasar_command_queue #(
  parameter integer BITS = quasar_program_pkg::COMMAND_BITS,
  parameter integer PLACES = quasar_program_pkg::COMMAND_PLACES
) (
  input  logic            clk,
  input  logic            reset,
  input  logic            reserve,
  output logic            room,
  input  logic            write,
  input  logic [BITS-1:0] write_command,
  input  logic            commit,
  output logic            out_valid,
  input  logic            out_ready,
  output logic [BITS-1:0] out_command
);
  localparam integer ADDRESS_BITS = $clog2(PLACES);
  localparam [ADDRESS_BITS-1:0] ONE = 1;
  localparam [ADDRESS_BITS:0] ALL = PLACES[ADDRESS_BITS:0];

  logic [ADDRESS_BITS-1:0] tail, head, next_head;
  logic [ADDRESS_BITS:0] reserved, offered;
  logic take;
  assign take = out_valid & out_ready;
  assign next_head = head + {{ADDRESS_BITS-1{1'b0}}, take};
  assign out_valid = offered != 0;
  assign room = reserved != ALL;
  always_ff @(posedge clk) begin
    if (reset) begin
      tail <= {ADDRESS_BITS{1'b0}};
      head <= {ADDRESS_BITS{1'b0}};
      reserved <= {ADDRESS_BITS+1{1'b0}};
      offered <= {ADDRESS_BITS+1{1'b0}};
    end else begin
      if (write) tail <= tail + ONE;
      head <= next_head;
      reserved <= reserved + {{ADDRESS_BITS{1'b0}}, reserve} - {{ADDRESS_BITS{1'b0}}, take};
      offered <= offered + {{ADDRESS_BITS{1'b0}}, commit} - {{ADDRESS_BITS{1'b0}}, take};
    end
  end
  quasar_memory #(.BITS(BITS), .DEPTH(PLACES)) places (
    .clk(clk), .write(write), .write_address(tail), .write_word(write_command), .read_address(next_head),
    .read_word(out_command));

`ifndef SYNTHESIS
  integer written;  // written and not committed
  always @(posedge clk) begin
    written <= reset ? 0 : written + (write ? 1 : 0) - (commit ? 1 : 0);
    if (!reset) begin
      assert (!(reserve && !room)) else $fatal(1, "a command enters a full queue");
      assert (!(commit && written == 0)) else $fatal(1, "no command is written that could be offered");
      assert (offered <= reserved) else $fatal(1, "%0d commands in %0d places", offered, reserved);
    end
  end
  quasar_stream_check #(.BITS(BITS)) unit (
    .clk(clk), .reset(reset), .valid(out_valid), .ready(out_ready), .data(out_command));
`endif
endmodule
