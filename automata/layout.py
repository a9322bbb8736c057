"""Where everything lies: the byte layout of every table of a store.

One store serves one vocabulary.  All its tables live in two anonymous memory maps that are reserved once and never move:
``A``, int64, for everything that is a record, and ``R``, uint32, for packed mask rows and token lists.  A kernel takes
the two arrays and integers, nothing else: a call costs about 0.2 us that way, six arrays would cost more than the work.
Each table owns one range of addresses; untouched pages cost nothing, so the ranges are generous and a table grows by
moving its counter.  int64 throughout, because NumPy's narrow scalars overflow when the same kernels run as plain Python.

The machine
===========

A *local state* is one state of one rule's byte automaton.  ``LS`` holds ``LS_WIDTH`` words for each:

====  ===========  ===========================================================================================
word  name         meaning
====  ===========  ===========================================================================================
0     RANGES       offset of its byte ranges in RG
1     N_RANGES     how many; sorted by lowest byte unless FLAG_OVERLAP is set
2     CALLS        offset of its calls in CL
3     N_CALLS
4     FLAGS        FLAG_* bits
5     DENSE        offset in DN of DENSE_WIDTH words (8 bits a byte: number of its range plus 1, or 0); -1 for none
6, 7  LEAST, MOST  the guard: how many more items of the counter can still come
8     EFFECT       its effect node in EF, -1 before it is computed
9     SHADOW       string-body state that this state imitates, plus 1 (0: none); see *Reference rows*
10    SHADOW_SYM   the symbol under which it would be called
11    FIRST        offset in FB of the set of bytes it can read (8 words of 32 bits), rule starts only; else -1
12    WORDS        how many keys can still be read from here, or from which state, see *Keys that run out*; UNBOUNDED where that is no
                   matter
13    EXITS        offset in XL of the exits of a scanner's state, see *Parsers*; of a parser's state: its number
14    N_EXITS      how many; 0 for a state whose activation ends as usual
15    REACH        offset in FB of the terminals that the lexeme begun may still become; -1 outside of scanners
16    PARSER       offset in PT of the parser that the state belongs to, plus 1; 0 for none
17    PACKED       of a state of a packed automaton, else 0: its offset in DG plus 1, and above 32 bits that of its row in R
                   plus 1, if it has one; see *Packed automata*
====  ===========  ===========================================================================================

``RG``, two words a range: ``low | high << 8 | op << 16 | pair << 24 | simple << 60`` and ``target | (symbol + 1) << 32 | as_shadow << 62``.
``CL``, two words a call: ``start state of the callee | (symbol + 1) << 32`` (0: tail call, nothing is pushed) and the index
of the callee's first counter pair or -1.  ``PR``, two words a pair: need, room.

A *symbol* is what a frame remembers: ``2 * return state + keyed``.  A keyed call is the reading of an extra key: the
duplicate-key register passes through it instead of being saved, and the return executes KEY_CLOSE.

Parsers
=======

What a grammar with a lexer accepts (Lark's LALR parser with its contextual lexer) hangs on the parse table, so the table itself is run.
The frames of a parser hold its stack: a symbol is ``2 * local state`` as everywhere, but the local state only names a state of
the table; the top of the parser's stack is the top frame.  The local state of a configuration is one of the *scanner*: what was read of
the lexeme that is open, and what may not follow the lexemes before it.  A lexeme ends when the next byte is read, or the text ends.
Then the scanner's state is left through an *exit*, which says which terminal was read and what is left of the scanner (its *part*).
Where an ordinary activation returns to what the symbol names, an exit looks the symbol and the terminal up in the table:

* a shift pushes, and the scanner begins a lexeme of the new top's lexer;
* a reduction pops, so that it leads to a state of its own with one exit, which pops the next symbol in turn, and so on until the
  symbol is uncovered on which the table has a goto;
* an ignored terminal pops nothing.

The result for (exit, symbol) is one local state: 0 (dead), a state with an exit, or the scanner's state below a chain of *push states*, one
pure call each, that put back what must stay on the stack.  Results are kept in ``MM``, so a table entry is run once in the life of a store.

``PT``, the tables of a parser behind ``PT_WIDTH`` words, see the ``PT_*`` constants.  ``XT``, ``XT_WIDTH`` words an exit: parser, column of
the table (a terminal, or the end of the text behind them; -1 for an ignored terminal), part, how many symbols are still to be popped before the goto
(-1: none is, the terminal is fed), the nonterminal of the goto, the state with just this exit (0 before it is needed).
``MM``, a hash table of four words an entry: tag and two or three numbers, result.  It grows with what is in it.

An LALR row may hold terminals that the exact context does not allow: look-aheads are merged, and reductions are done before the error shows.
So a scanner's state can be without a future though its lexeme can still be finished.  ``REACH`` says what it may become; one of these
terminals must be taken by the stack at hand (``alive.can_take``), else the entry is dropped where a state is made.

Packed automata
===============

A dictionary of a million names has millions of states, and a text visits a few dozen.  So a rule may be a deterministic automaton in packed
form (``grammar.packed``): its words lie in ``DG``, one for each range, and a local state is made of one of its states only where a run or a
walk gets there.  Until bytes are to be read from it, such a state is ``FLAG_LAZY``: it says whether it accepts and nothing else.
``DM`` holds the local state of each word that begins a state, 32 bits a word, 0 where there is none yet; untouched pages of it cost nothing.

Configurations
==============

An *entry* is five words: local state, need, room, register, frame.  A configuration is a set of entries, sorted.  A *frame* is
a set of *links* (symbol, need, room, register, parent frame): links, not flattened copies, so that frames stay linear where
ambiguous runs meet; a link is dropped when another one with the same first four words has a parent that is shown to include
its own.  Frame 0 is the empty stack, frame 1 is the unknown stack of an effect.  A link with symbol -1 in a union says
"or the stack is empty".

A *register* is ``keys seen << 31 | open text``: both are heap records (0: none), the first a list of texts, the second the
characters read so far, as a chain of bytes.  Where items of arrays are told apart, and keys that have several spellings, it is values
that are seen and open, see ``registers``.

Keys that run out
-----------------

Where only finitely many keys may be read (declared names in any order, a pattern with few texts), not only the quote that completes
a duplicate must be refused, but every byte after which all keys that go on from the text read are among those seen, and the comma
after which no key is left.  ``WORDS`` of a state inside a key counts the texts that lead from it to the end of a key, and that of a
state before a key (behind the comma) refers to the key's start: it is that local state, negated.  Keys are read deterministically, and a
state is dead exactly when as many keys seen are among those texts as WORDS says.  Not all that extend the open text need be: where no
more members may come but required ones, others were read before.  A way out that is no key of the register (a declared member beside
it) makes WORDS unbounded: then something is always left.

Values that differ
------------------

An item may be read by any rules, with registers of their own, and yet its bytes belong to a value that the array's register compares.
So while a value is open the register travels with the run: a call gives the callee a NEST record (the callee's own register, the
caller's), the link says CARRIED where it would hold the register, and a return unpacks it.  Every byte is appended at each level.

Values are not counted in advance.  A run is *in question* while an open value can still become one of those seen: then, and only then, may
it be unable to end.  Whether it can is found by a search, byte by byte, for a state out of question; it stays inside the spellings of
the values seen, and what it learns is kept in the bits of the states that it met.  A front end must see to one thing: where a further item is
needed its values outnumber the items before it, so that a state out of question can always go on.

``HP``, the heap, holds variable-length records of the dynamic kinds, each with a header of four words: ``length | kind << 32``,
next record of the same hash bucket, hash, scope.  Records are interned *within their scope*, so closing a scope is unlinking
its records and returning its chunks of ``CHUNK`` words; nothing else can point at them.

==========  ============================================================================
kind        payload
==========  ============================================================================
FRAME       links, five words each
TEXT        parent text, byte
KEYS        list before, text or value, how many keys with this one
OPEN        open value: the container around it or 0, chain of what was read
NEST        register of the activation, register of the one around
LIVES       local state, need, room, register, frame, whether such an entry can be finished
INCLUDED    frame, frame: the first is included in the second (positive results only)
STATE       id, bits (accepting 1, final 2), bound or -1, then the entries (the key)
==========  ============================================================================

A state's *id* is what callers hold: ``generation << 40 | page << 8 | slot``.  The generation is the store's, since a vocabulary may
have several one after another.  Pages are virtual: ``VP[page]`` is the directory page in ``DR`` or 0.
A scope takes pages as it needs them and gives them back when it closes, and a virtual page is not used again before
8 million others were, so that a state of a closed scope is recognised instead of meaning something else.

Effects
=======

What does each token do from a local state, whatever the stack below?  ``EF`` answers with a tree.  The root of a local state q
holds the tokens that never look below q's own activation; a token that does is cut where it does: a *pop point* (trie node,
guard), and what comes then depends on the symbol that is found.  So a child of the node, one per symbol that really occurs,
holds what the tokens do from there; its own pop points lead to its children in turn.  The path from the root is the word that
was popped.  Nothing is branched in advance, and one table serves masks, bounds and lattices.

``EF``, ``EF_WIDTH`` words a node: see the ``EF_*`` constants.  ``GR``, ``GR_WIDTH`` words an *effect*: landing state, counter, key events,
frame above the unknown one, guard, and its tokens, a run of ``R``.  Counters are relative: ``-1 - k`` says "the unknown count less k
items", non-negative says an absolute count that the token itself set.  The guard of an effect is ``room >= MIN_ROOM and need <= MAX_NEED``
for the activation that the node stands for; ``CHAIN`` leads to the guards of the activations that were popped before.  So effects,
rows and shapes never see a count, and one row serves every bound.

Pop points belong to *classes*, one for each exit and one for all activations that end as usual.  The child of a class of a parser is found
in two steps: what the exit does to the real stack leads to a scanner's state, and the child is what the tokens do from there, whatever
lies below; so neither the reductions nor the depth at which they stop make nodes.  Nor do the many ways to one: children under the same trie nodes are
one, whatever their parents.

The last ``E_N_CONDS`` effects of a node land where it hangs on the stack whether the lexeme can be finished.  They are not in its run or row,
but asked for one by one.

A node's tokens lie in one run of ``R``, ordered by effect.  If they are many, a packed row of the same tokens lies beside it, for the
common case in which every guard holds; else the guards are tested one by one.  An effect of more tokens than a row has words (nearly
all of a string's body) is kept as packed bits as well: a row takes 16 KB where a list of 118,000 tokens takes 472.

Registers never enter a row either: the tokens that would complete a duplicate are cleared when a row is filled, and they are
found from the ``OPENS`` of a node (trie nodes at which a key begins, each with the local state there) and the keys seen; each suspect
is then advanced for real.  ``VERIFY`` lists trie nodes below which that is done always, or, before a key, once so many keys were seen that none may
be left.
Where values are compared a walk of the trie begins instead, at those nodes and, in a state in question, at the root: bytes are
read for real as long as the run is in question (``duplicates.walk_values``).

Reference rows
==============

Where an extra key may come beside declared ones, nearly every token does what it would do in any string; only those that stay on
the spelling of a declared key differ.  Such a state is marked as the *shadow* of a string-body state; its effects are those of the
string body, less the tokens listed in ``DELTA``, plus its own.  Computing them walks the declared spellings, not the vocabulary.
"""

from __future__ import annotations

# --- header words of A: counters of the tables and results of the last call -------------------------------------
H_ERROR = 0  # set by a kernel that hit a limit: one of the ERR_* codes
H_LS = 1
H_RG = 2
H_CL = 3
H_DN = 4
H_PR = 5
H_FB = 6
H_EF = 7
H_GR = 8
H_PP = 9
H_HP = 10  # chunks ever taken from the heap
H_FREE_CHUNK = 11  # first of the returned chunks, 0 for none
H_VPAGE = 12  # virtual page given out last
H_DPAGE = 13  # directory pages ever taken
H_FREE_DPAGE = 14
H_SCOPE = 15  # scopes ever opened
H_FREE_SCOPE = 16
H_R = 17  # words of R in use
H_RECORDS = 18  # live heap records
H_TRIE = 19  # number of trie nodes
H_VOCAB = 20  # width of a mask row in tokens
H_WORDS = 21  # width of a mask row in words
H_EOS = 22  # eos token ids lie in EO: count; pad ids follow
H_PAD = 23
H_CHUNKS_USED = 24
H_DONE_STATE = 25  # the local state after end-of-sequence
H_MAX_DEPTH = 26  # longest token in bytes
H_GENERATION = 27  # of the store, the upper bits of its states
H_CUT = 28  # set where a duplicate ends a run
H_STOP = 29  # set from another thread where the time of a load is up
H_PT = 30
H_XT = 31
H_XL = 32
H_MM = 33  # entries in use
H_WR = 34
H_NODES = 35  # of the tree of kept rows
H_DG = 36
H_MM_SIZE = 37  # slots of MM, a power of two
H_N = 38

ERR_NONE = 0
ERR_TABLE = 1
ERR_ENTRIES = 2
ERR_LINKS = 3
ERR_DFA = 4
ERR_SCOPE = 5
ERR_STALE = 6
ERR_SCRATCH = 7
ERR_LEFT_RECURSION = 8
ERR_PATIENCE = 9  # more work than was asked for at first: try again with a watch on the time
ERR_TIME = 10

# --- table offsets ------------------------------------------------------------------------------------------------
CAP_LS = 1 << 26
CAP_RG = 1 << 26
CAP_CL = 1 << 24
CAP_DN = 1 << 26
CAP_PR = 1 << 21
CAP_FB = 1 << 22
CAP_EF = 1 << 26
CAP_EH = 1 << 22  # hash of (effect node, symbol) -> child, two words an entry
CAP_GR = 1 << 27
CAP_PP = 1 << 26
CAP_HP = 1 << 30
CAP_CK = 1 << 20
CAP_BK = 1 << 20
CAP_VP = 1 << 23
CAP_DR = 1 << 26
CAP_SC = 1 << 22
CAP_TR = 1 << 24  # vocabulary trie, a word a node; then per token next-same and text offsets; then the texts
CAP_EO = 1 << 12
CAP_RC = 256  # trie node of each first byte, -1 for none
CAP_PT = 1 << 24  # tables of parsers
CAP_XT = 1 << 22
CAP_XL = 1 << 22  # exit numbers, listed by scanner states
CAP_MM = 1 << 25  # hash table of what parsers work out, see ``memo``
CAP_WR = 1 << 21
CAP_S = 1 << 26  # scratch
CAP_DG = 1 << 26
CAP_DM = CAP_DG // 2

LS = 64
RG = LS + CAP_LS
CL = RG + CAP_RG
DN = CL + CAP_CL
PR = DN + CAP_DN
FB = PR + CAP_PR
EF = FB + CAP_FB
EH = EF + CAP_EF
GR = EH + CAP_EH
PP = GR + CAP_GR
HP = PP + CAP_PP
CK = HP + CAP_HP
BK = CK + CAP_CK
VP = BK + CAP_BK
DR = VP + CAP_VP
SC = DR + CAP_DR
TR = SC + CAP_SC
EO = TR + CAP_TR
RC = EO + CAP_EO
PT = RC + CAP_RC
XT = PT + CAP_PT
XL = XT + CAP_XT
MM = XL + CAP_XL
WR = MM + CAP_MM
S = WR + CAP_WR
DG = S + CAP_S
DM = DG + CAP_DG
WORDS_A = DM + CAP_DM
WORDS_R = 1 << 31

# --- local states -------------------------------------------------------------------------------------------------
LS_WIDTH = 18
DENSE_WIDTH = 32
L_RANGES = 0
L_N_RANGES = 1
L_CALLS = 2
L_N_CALLS = 3
L_FLAGS = 4
L_DENSE = 5
L_LEAST = 6
L_MOST = 7
L_EFFECT = 8
L_SHADOW = 9
L_SHADOW_SYM = 10
L_FIRST = 11
L_WORDS = 12
L_EXITS = 13
L_N_EXITS = 14
L_REACH = 15
L_PARSER = 16
L_PACKED = 17

FLAG_ACCEPT = 1
FLAG_ACCEPT_NO_NEED = 2
FLAG_END = 4  # accepting, nothing to read, nothing to call: popped at once
FLAG_PURE_CALL = 8  # one call and nothing else: entered at once
FLAG_OVERLAP = 16  # several ranges may match one byte
FLAG_GUARD = 32
FLAG_LAZY = 128  # of a packed automaton, without its ranges as yet
FLAG_OUTERMOST = 256  # nothing lies below its activation: where it may end nothing is popped
FLAG_FAST = 64  # nothing to pop, no calls, one range a byte: a byte with a simple range needs no closure

FLAG_AGAIN = 1024  # a newline's lexeme may begin anew here, with a column of its own
FLAG_PUSH = 512  # a push state of a parser: a pure call that a byte has not to be read for

RG_SHADOW_BIT = 62  # of the second word
RG_SIMPLE_BIT = 60  # of the first word: no operation but COUNT, no push, target neither guarded nor an end
UNBOUNDED = 1 << 40

# --- parsers ------------------------------------------------------------------------------------------------------
PT_WIDTH = 20
PT_STATES = 0  # the first of the local states that name the parser's states
PT_N_COLUMNS = 1  # terminals, and the end of the text
PT_N_GOTOS = 2  # nonterminals
PT_ACTION = 3  # offsets in PT from here on: a row of columns per state; 0 error, s + 1 shift, -1 - r reduce
PT_GOTO = 4  # a row of nonterminals per state, -1 for none
PT_LHS = 5
PT_LENGTH = 6
PT_LEXER = 7  # lexer of each state
PT_BEGIN = 8  # a row of lexers per part: local state, 0 where dead
PT_N_LEXERS = 9
PT_ACCEPT = 10  # the state that a goto at the end of the text must reach
PT_SHIFTS = 11  # offset in FB: bits of the terminals that a state shifts, PT_BITS words a state
PT_BITS = 12  # words of 32 bits that hold a bit for each terminal and, last, one for what is ignored
PT_FOLLOW = 13  # offset in FB: bytes that may follow each part, 8 words a part
PT_ENDED = 14  # the local state that the whole text leads to
PT_AT_END = 15  # offset in FB: bytes that may follow the whole text
PT_PLAIN = 16  # the first of the exits without a part, one a column

PT_NEWLINE = 17  # columns of the table of what an indenter reads and makes; -1 without one
PT_INDENT = 18
PT_DEDENT = 19

XT_WIDTH = 8
X_PARSER = 0
X_COLUMN = 1
X_PART = 2
X_LEFT = 3
X_GOTO = 4
X_STATE = 5
X_THEN = 6  # the exit that is fed next, before a lexeme begins; -1 for none
X_OPENS = 7  # the column that an indent opens, else -1
SETTLED = -2  # of X_LEFT: an exit of the indenter's types that is fed as it stands
COLUMN_BASE = 1 << 30  # the room of a newline's lexeme is this less its column
L_KIND = L_CALLS  # of a state of the table: MARK_*
L_COLUMN = L_LEAST  # of one that an indent was shifted to: the column that it opened
MARK_INDENT = 1
MARK_OPEN = 2
MARK_CLOSE = 3
MARK_DEDENT = 4
IGNORED = -1
NO_PART = -1
WR_WIDTH = 4  # of a kept row, see ``rows``

# --- heap ---------------------------------------------------------------------------------------------------------
CHUNK = 4096
HEADER = 4
KIND_FRAME = 1
KIND_TEXT = 2
KIND_KEYS = 3
KIND_INCLUDED = 4
KIND_STATE = 5
KIND_OPEN = 6
KIND_NEST = 7
KIND_LIVES = 8
STATE_ID = 4
STATE_BITS = 5
STATE_BOUND = 6
STATE_ENTRIES = 7
STATE_KEY = 7
ACCEPTING_BIT = 1
FINAL_BIT = 2
LIVE_BIT = 4  # a search found a way to the end
DEAD_BIT = 8  # there is none: every way repeats a value
MET_BIT = 16  # met by the search that is going on

ENTRY = 5
LINK = 5
FRAME_EMPTY = 0
FRAME_UNKNOWN = 1
SYMBOL_EMPTY = -1
MAX_ENTRIES = 768
MAX_LINKS = 768

# --- scopes -------------------------------------------------------------------------------------------------------
SC_WIDTH = 8
SC_ALIVE = 0  # 1 while open
SC_CHUNK = 1  # last chunk taken, 0 for none; CK links the others
SC_USED = 2  # words used in it
SC_CHUNKS = 3
SC_DPAGE = 4  # virtual page being filled, 0 for none
SC_SLOT = 5  # next slot of it
SC_CAP = 6  # most chunks it may take
SC_PAGES = 7  # first of its virtual pages, linked through slot words of a directory page header

PAGE = 256
GENERATION_SHIFT = 40  # above 32 bits of page and 8 of slot
DPAGE_WIDTH = PAGE + 2  # next virtual page of the scope, scope, then 256 heap offsets

# --- effects ------------------------------------------------------------------------------------------------------
EF_WIDTH = 23
E_STATE = 0  # the local state, or the return state of the symbol
E_PARENT = 1
E_SYMBOL = 2  # -1 at a root
E_GROUPS = 3
E_N_GROUPS = 4
E_TOKENS = 5  # offset in R of the tokens of all effects
E_N_TOKENS = 6
E_ROW = 7  # offset in R of the packed row, -1 for none
E_POPS = 8
E_N_POPS = 9
E_OPENS = 10  # each: trie node | local state << NODE_BITS; 0 where values are compared
E_N_OPENS = 11
E_VERIFY = 12  # each: trie node | WORDS << NODE_BITS; 0 for always, VALUES for a walk
E_N_VERIFY = 13
E_MAX_ROOM = 14  # the greatest MIN_ROOM of its effects and pop points: with room at least that every guard holds
E_MIN_NEED = 15  # the least MAX_NEED of its effects and pop points
E_SHADOW = 16
E_DELTA = 17
E_N_DELTA = 18
E_CHAINED = 19  # 1 if an effect has a guard on an activation popped before
E_CLASSES = 20  # CLASS_WIDTH words each: exit or -1, first pop point (of an equal list, maybe), how many, room, frame
E_N_CLASSES = 21
E_N_CONDS = 22

GR_WIDTH = 11
G_STATE = 0
G_NEED = 1
G_ROOM = 2
G_KEY = 3
G_FRAME = 4
G_MIN_ROOM = 5
G_MAX_NEED = 6
G_CHAIN = 7  # pop point of the parent node that the token came through, -1 at a root
G_TOKENS = 8  # offset in R of the list, or -1 - the offset of the packed bits
G_N_TOKENS = 9
G_NODE = 10

PP_WIDTH = 10
P_NODE = 0  # trie node at which the unknown frame is popped
P_EAGER = 1  # 1: a token that ends at the node has popped already; 0: it pops only when another byte comes
P_MIN_ROOM = 2
P_MAX_NEED = 3
P_CHAIN = 4
P_KEY = 5
P_FIRST = 6  # first pop point of the node with the same guards, -1 where no guard can fail: what CHAIN refers to
P_EXIT = 7  # of a scanner's state, -1 where an activation ends as usual
P_ROOM = 8  # of an exit that hangs on a column: the room there, else 0
P_FRAME = 9  # and what was pushed above the unknown frame, else FRAME_UNKNOWN
CLASS_WIDTH = 5

# --- vocabulary trie ------------------------------------------------------------------------------------------------
# One word a node, ``byte | end << 8 | depth << 31 | (token + 1) << 43``: a walk is bound by memory, and eight bytes a node
# are a quarter of the cache misses of four words.
T_END_SHIFT = 8
T_END_MASK = (1 << 23) - 1
T_DEPTH_SHIFT = 31
T_DEPTH_MASK = (1 << 12) - 1
T_TOKEN_SHIFT = 43
MAX_TRIE_NODES = T_END_MASK
NODE_BITS = 23  # of a trie node's number, in the lists of an effect node
MOST_WORDS = 1 << 30  # what such a list holds of a WORDS at most
VALUES = 1 << 31  # above every WORDS
MAX_TOKEN_BYTES = T_DEPTH_MASK
MAX_TOKENS = (1 << 20) - 2
