"""Texts of the stock programs as public sources show them, per language.

English comes from Microsoft's documentation and from outputs that people posted. How sure the other languages are, and
what is known in none, stands in synthetic.py.
"""

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "done": {
        "en": "The operation completed successfully.\n",
        "de": "Der Vorgang wurde erfolgreich beendet.\n",
        "fr": "L'opération a réussi.\n",
        "ja": "この操作を正しく終了しました。\n",
    },
    "reg.missing": {
        "en": "ERROR: The system was unable to find the specified registry key or value.\n",
        "de": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.\n",
        "fr": "ERREUR : le système n'a pas trouvé la clé ou la valeur de Registre spécifiée.\n",
        "ja": "エラー: 指定されたレジストリ キーまたは値が見つかりませんでした。\n",
    },
    "reg.denied": {
        "en": "ERROR: Access is denied.\n",
        "de": "FEHLER: Zugriff verweigert\n",
        "fr": "ERREUR : Accès refusé.\n",
        "ja": "エラー: アクセスが拒否されました。\n",
    },
    "reg.invalid_key": {
        "en": 'ERROR: Invalid key name.\nType "REG {verb} /?" for usage.\n',
        "de": 'FEHLER: Ungültiger Schlüsselname.\nGeben Sie "REG {verb} /?" ein, um die Syntax anzuzeigen.\n',
        "fr": 'ERREUR : nom de clé non valide.\nEntrez "REG {verb} /?" pour afficher la syntaxe.\n',
        "ja": 'エラー: キー名が無効です。\n使用法については "REG {verb} /?" と入力してください。\n',
    },
    "reg.syntax": {
        "en": 'ERROR: Invalid syntax.\nType "REG {verb} /?" for usage.\n',
        "de": 'FEHLER: Ungültige Syntax.\nGeben Sie "REG {verb} /?" ein, um die Syntax anzuzeigen.\n',
        "fr": 'ERREUR : syntaxe non valide.\nEntrez "REG {verb} /?" pour afficher la syntaxe.\n',
        "ja": 'エラー: 無効な構文です。\n使用法については "REG {verb} /?" と入力してください。\n',
    },
    "reg.default": {"en": "(Default)", "de": "(Standard)", "fr": "(par défaut)", "ja": "(既定)"},
    "reg.unset": {
        "en": "(value not set)",
        "de": "(Wert nicht gesetzt)",
        "fr": "(valeur non définie)",
        "ja": "(値の設定なし)",
    },
    "sc.failed": {
        "en": "[SC] {call} FAILED {code}:\n\n{text}\n\n",
        "de": "[SC] {call} FEHLER {code}:\n\n{text}\n\n",
        "fr": "[SC] {call} échec(s) {code} :\n\n{text}\n\n",
        "ja": "[SC] {call} FAILED {code}:\n\n{text}\n\n",
    },
    "system.5": {
        "en": "Access is denied.",
        "de": "Zugriff verweigert",
        "fr": "Accès refusé.",
        "ja": "アクセスが拒否されました。",
    },
    "system.1053": {
        "en": "The service did not respond to the start or control request in a timely fashion.",
        "de": "Der Dienst antwortete nicht rechtzeitig auf die Start- oder Steuerungsanforderung.",
        "fr": "Le service n'a pas répondu assez vite à la demande de lancement ou de contrôle.",
        "ja": "そのサービスは指定時間内に開始要求または制御要求に応答しませんでした。",
    },
    "system.1058": {
        "en": "The service cannot be started, either because it is disabled or because it has no enabled devices"
        " associated with it.",
        "de": "Der angegebene Dienst kann nicht gestartet werden. Er ist deaktiviert oder nicht mit aktivierten Geräten"
        " verbunden.",
        "fr": "Le service ne peut pas être démarré parce qu'il est désactivé ou qu'aucun périphérique activé ne lui est"
        " associé.",
        "ja": "無効にされているか、または関連付けられたデバイスが有効でないため、サービスを開始できません。",
    },
    "system.1060": {
        "en": "The specified service does not exist as an installed service.",
        "de": "Der angegebene Dienst ist kein installierter Dienst.",
        "fr": "Le service spécifié n'existe pas en tant que service installé.",
        "ja": "指定されたサービスはインストールされたサービスとして存在しません。",
    },
    "system.1115": {
        "en": "A system shutdown is in progress.",
        "de": "Der Computer wird gerade heruntergefahren.",
        "fr": "Un arrêt système est en cours.",
        "ja": "システムをシャットダウンしています。",
    },
    "sc.configured": {
        "en": "[SC] ChangeServiceConfig SUCCESS\n",
        "de": "[SC] ChangeServiceConfig ERFOLG\n",
        "fr": "[SC] ChangeServiceConfig réussite(s)\n",
        "ja": "[SC] ChangeServiceConfig SUCCESS\n",
    },
    "net.starting": {
        "en": "The {display} service is starting.\n",
        "de": "{display} wird gestartet.\n",
        "fr": "Le service {display} démarre.\n",
        "ja": "{display} サービスを開始します.\n",
    },
    "net.started": {
        "en": "The {display} service was started successfully.\n\n",
        "de": "{display} wurde erfolgreich gestartet.\n\n",
        "fr": "Le service {display} a démarré.\n\n",
        "ja": "{display} サービスは正常に開始されました。\n\n",
    },
    "net.stopping": {
        "en": "The {display} service is stopping.\n",
        "de": "{display} wird beendet.\n",
        "fr": "Le service {display} s'arrête.\n",
        "ja": "{display} サービスを停止中です.\n",
    },
    "net.stopped": {
        "en": "The {display} service was stopped successfully.\n\n",
        "de": "{display} wurde erfolgreich beendet.\n\n",
        "fr": "Le service {display} a été arrêté.\n\n",
        "ja": "{display} サービスは正常に停止されました。\n\n",
    },
    "net.already": {
        "en": "The requested service has already been started.\n\n"
        "More help is available by typing NET HELPMSG 2182.\n\n",
        "de": "Der angeforderte Dienst wurde bereits gestartet.\n\n"
        "Sie erhalten weitere Hilfe, wenn Sie NET HELPMSG 2182 eingeben.\n\n",
        "fr": "Le service demandé a déjà été démarré.\n\n"
        "Vous obtiendrez une aide supplémentaire en entrant"
        " NET HELPMSG 2182.\n\n",
        "ja": "要求したサービスは既に開始されています。\n\n"
        "NET HELPMSG 2182 と入力すると、より詳しい説明が得られます。\n\n",
    },
    "net.unstarted": {
        "en": "The {display} service is not started.\n\nMore help is available by typing NET HELPMSG 3521.\n\n",
        "de": "{display} ist nicht gestartet.\n\nSie erhalten weitere Hilfe, wenn Sie NET HELPMSG 3521 eingeben.\n\n",
        "fr": "Le service {display} n'a pas été lancé.\n\n"
        "Vous obtiendrez une aide supplémentaire en entrant"
        " NET HELPMSG 3521.\n\n",
        "ja": "{display} サービスは開始されていません。\n\n"
        "NET HELPMSG 3521 と入力すると、より詳しい説明が得られます。\n\n",
    },
    "net.unknown": {
        "en": "The service name is invalid.\n\nMore help is available by typing NET HELPMSG 2185.\n\n",
        "de": "Der Dienstname ist ungültig.\n\nSie erhalten weitere Hilfe, wenn Sie NET HELPMSG 2185 eingeben.\n\n",
        "fr": "Le nom du service n'est pas valide.\n\nVous obtiendrez une aide supplémentaire en entrant NET HELPMSG"
        " 2185.\n\n",
        "ja": "サービス名が無効です。\n\nNET HELPMSG 2185 と入力すると、より詳しい説明が得られます。\n\n",
    },
    "net.system": {
        "en": "System error {code} has occurred.\n\n{text}\n\n",
        "de": "Systemfehler {code} aufgetreten.\n\n{text}\n\n",
        "fr": "L'erreur système {code} s'est produite.\n\n{text}\n\n",
        "ja": "システム エラー {code} が発生しました。\n\n{text}\n\n",
    },
    "netstat.head": {
        "en": "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n",
        "de": "\nAktive Verbindungen\n\n  Proto  Lokale Adresse         Remoteadresse          Status           PID\n",
        "fr": "\nConnexions actives\n\n  Proto  Adresse locale         Adresse distante       État            PID\n",
        "ja": "\nアクティブな接続\n\n  プロトコル  ローカル アドレス      外部アドレス           状態            PID\n",
    },
    "where.missing": {
        "en": "INFO: Could not find files for the given pattern(s).\n",
        "de": "INFORMATION: Es konnten keine Dateien mit dem angegebenen Muster gefunden werden.\n",
        "fr": "INFORMATION : impossible de trouver des fichiers pour le(s) modèle(s) spécifié(s).\n",
        "ja": "情報: 与えられたパターンのファイルが見つかりませんでした。\n",
    },
    "shutdown.scheduled": {
        "en": "A system shutdown has already been scheduled.(1190)\n",
        "de": "Das Herunterfahren des Systems wurde bereits geplant.(1190)\n",
        "fr": "Un arrêt système a déjà été planifié.(1190)\n",
        "ja": "システムのシャットダウンは既にスケジュールされています。(1190)\n",
    },
    "cmd.unknown": {
        "en": "'{name}' is not recognized as an internal or external command,\noperable program or batch file.\n",
        "de": 'Der Befehl "{name}" ist entweder falsch geschrieben oder\nkonnte nicht gefunden werden.\n',
        "fr": "'{name}' n'est pas reconnu en tant que commande interne\nou externe, un programme exécutable ou"
        " un fichier de commandes.\n",
        "ja": "'{name}' は、内部コマンドまたは外部コマンド、\n"
        "操作可能なプログラムまたはバッチ ファイルとして認識されていません。\n",
    },
    "cmd.long": {
        "en": "The command line is too long.\n",
        "de": "Die Befehlszeile ist zu lang.\n",
        "fr": "La ligne de commande est trop longue.\n",
        "ja": "コマンド ラインが長すぎます。\n",
    },
    "cmd.syntax": {
        "en": "The syntax of the command is incorrect.\n",
        "de": "Syntaxfehler.\n",
        "fr": "La syntaxe de la commande n'est pas correcte.\n",
        "ja": "コマンドの構文が誤っています。\n",
    },
    "cmd.version": {"en": "\nMicrosoft Windows [Version {release}]\n"},
    "chcp": {
        "en": "Active code page: {codepage}\n",
        "de": "Aktive Codepage: {codepage}.\n",
        "fr": "Page de codes active : {codepage}\n",
        "ja": "現在のコード ページ: {codepage}\n",
    },
}
