use crate::parse::shell::*;

/// `wrappers > program: settings | operands` of the first command.
fn describe(text: &str) -> String {
    let script = parse(text);
    let variables = Variables::of(&script);
    let Kind::Simple(simple) = &script.body.last().unwrap().first.commands[0].kind else {
        panic!("no simple command")
    };
    let Some(invocation) = Invocation::of(simple, &variables) else { return "none".to_owned() };
    let options = invocation.options();
    let setting = |setting: &Setting<'_>| match &setting.value {
        Some(value) => format!("{}={value}", setting.name),
        None => setting.name.clone(),
    };
    let wrappers: String = invocation.wrappers.iter().map(|wrapper| format!("{} > ", wrapper.name)).collect();
    let settings: Vec<_> = options.settings.iter().map(setting).collect();
    let operands: Vec<_> = options.operands.iter().map(|operand| operand.text.to_string()).collect();
    format!("{wrappers}{}: {} | {}", invocation.program, settings.join(" "), operands.join(" "))
}

#[test]
fn options_are_told_from_operands() {
    insta::assert_snapshot!([
        "pg_dump -Fc -h \"$H\" -U app --file=x.dump -Z 9 --schema public db",
        "/usr/lib/postgresql/17/bin/pg_dump -vFp -f\"$D/x.sql\" -- -db",
        "U=postgresql://h/db; pg_dump \"$U\" --format custom",
        "psql -X -v ON_ERROR_STOP=1 -c 'select 1' db",
        "aws s3 cp a s3://b/ --sse AES256 --only-show-errors --region eu-west-1",
        "pg_restore -cx -d \"$URL\" -j4 x.dump",
        "curl -fsS -m 10 -X POST \"$HOOK\"",
        "unknown -x y --z=1 --w v",
    ].map(describe).join("\n"), @"
    pg_dump: -F=c -h=${H} -U=app --file=x.dump -Z=9 --schema=public | db
    pg_dump: -v -F=p -f=${D}/x.sql | -db
    pg_dump: --format=custom | postgresql://h/db
    psql: -X -v=ON_ERROR_STOP=1 -c=select 1 | db
    aws: --sse=AES256 --only-show-errors --region=eu-west-1 | s3 cp a s3://b/
    pg_restore: -c -x -d=${URL} -j=4 | x.dump
    curl: -f -s -S -m=10 -X=POST | ${HOOK}
    unknown: -x --z=1 --w | y v
    ");
}

#[test]
fn a_variable_may_start_a_container() {
    insta::assert_snapshot!([
        "$COMPOSE exec -T db pg_dump -U app x",
        "C='docker compose -f x.yml'; $C exec -T db pg_dump x",
        "$DOCKER exec -i db bash",
        "$RUNNER pg_dump x",
    ].map(describe).join("\n"), @"
    docker exec > pg_dump: -U=app | x
    docker compose exec > pg_dump:  | x
    none
    none
    ");
}

#[test]
fn wrappers_are_taken_off() {
    insta::assert_snapshot!([
        "sudo -u postgres nice -n 10 pg_dump db",
        "env -u X PGPASSWORD=x pg_dump db",
        "timeout 30m pg_dump db",
        "timeout -k 5 30m pg_dump db",
        "docker exec -t -e A=b db pg_dump -U app x",
        "docker compose -f c.yml exec -T db pg_dump x",
        "docker run --rm -v $PWD:/b postgres:17 pg_dump x",
        "kubectl exec -n ns pod -c pg -- pg_dump x",
        "flock /tmp/lock pg_dump x",
        "docker exec db",
        "docker ps",
        "\"$PG_DUMP\" db",
        "P=pg_dump; $P db",
        "A=1",
    ].map(describe).join("\n"), @"
    sudo > nice > pg_dump:  | db
    env > pg_dump:  | db
    timeout > pg_dump:  | db
    timeout > pg_dump:  | db
    docker exec > pg_dump: -U=app | x
    docker compose exec > pg_dump:  | x
    docker run > pg_dump:  | x
    kubectl exec > pg_dump:  | x
    flock > pg_dump:  | x
    docker:  | exec db
    docker:  | ps
    none
    pg_dump:  | db
    none
    ");
}

#[test]
fn subcommands_and_wrappers_can_be_asked_for() {
    let script = parse("docker exec -it db aws --profile p s3 cp a b");
    let Kind::Simple(simple) = &script.body[0].first.commands[0].kind else { panic!("no simple command") };
    let invocation = Invocation::of(simple, &Variables::default()).unwrap();
    assert!(invocation.is("aws", &["s3", "cp"]) && !invocation.is("aws", &["s3", "sync"]));
    let wrapper = invocation.wrapper("docker exec").unwrap();
    assert_eq!(wrapper.arguments[0].text.literal(), Some("-it"));
    assert_eq!(invocation.options().value(&["--profile"]).unwrap().literal(), Some("p"));
}

#[test]
fn a_variable_without_quotes_is_the_words_that_it_holds() {
    insta::assert_snapshot!([
        "C='docker compose -f x.yml'; $C exec -T db pg_dump -U app shop",
        "C=\"docker compose -f ${F}\"; ${C} exec -T db pg_dump shop",
        "C='pg_dump shop'; \"$C\" x",
        "${COMPOSE} exec -T db pg_dump -U app shop",
        "dc -f x exec db psql shop",
        "log exec of pg_dump",
    ].map(describe).join("\n"), @"
    docker compose exec > pg_dump: -U=app | shop
    docker compose exec > pg_dump:  | shop
    pg_dump shop:  | x
    docker exec > pg_dump: -U=app | shop
    docker exec > psql:  | shop
    log:  | exec of pg_dump
    ");
}
